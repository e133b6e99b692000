"""What `testing` is made of: as in Celery, it is `contrib` that has the support for tests."""

from .eager_mode import eager
from .enqueued_jobs import Enqueued, assert_enqueued, enqueued
from .running_workers import Workers
from .virtual_clock import Clock

__all__ = ["Clock", "Enqueued", "Workers", "assert_enqueued", "eager", "enqueued"]
