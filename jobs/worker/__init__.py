"""The worker: claims jobs from Redis, runs them, and records their outcomes."""

from .settings import worker_settings
from .worker import Worker

__all__ = ["Worker", "worker_settings"]
