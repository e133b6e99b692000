"""The monitor: pages that show what the workers do, and change it. They need Redis, and neither SQL nor mail."""

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
