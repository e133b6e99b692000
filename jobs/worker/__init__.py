"""The worker: claims jobs from Redis, runs them, and records what came of them."""

from jobs.worker.settings import worker_settings
from jobs.worker.worker import Worker

__all__ = ["Worker", "worker_settings"]
