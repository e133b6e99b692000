"""The monitor: pages that show jobs, queues and workers, and act on them. They need only Redis, no SQL and no mail."""

from app.monitor import (
    audit_page,
    broker_page,
    job_page,
    jobs_page,
    overview_page,
    queues_page,
    schedules_page,
    tasks_page,
    wording,
    workers_page,
    workflows_page,
)
from app.monitor.blueprint import blueprint

__all__ = [
    "audit_page",
    "blueprint",
    "broker_page",
    "job_page",
    "jobs_page",
    "overview_page",
    "queues_page",
    "schedules_page",
    "tasks_page",
    "wording",
    "workers_page",
    "workflows_page",
]
