"""The monitor: pages that show jobs, queues and workers, and act on them. They need only Redis, no SQL and no mail."""

from app.monitor import (
    audit,
    broker,
    job,
    jobs,
    overview,
    queues,
    schedules,
    tasks,
    wording,
    workers,
    workflows,
)
from app.monitor.blueprint import blueprint

__all__ = [
    "audit",
    "blueprint",
    "broker",
    "job",
    "jobs",
    "overview",
    "queues",
    "schedules",
    "tasks",
    "wording",
    "workers",
    "workflows",
]
