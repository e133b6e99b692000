"""For the tests of applications: eager mode, a look at what was enqueued, workers in the test, and virtual time."""

from .eager_mode import eager
from .enqueued_jobs import Enqueued, assert_enqueued, enqueued
from .running_workers import Workers
from .virtual_clock import Clock

__all__ = ["Clock", "Enqueued", "Workers", "assert_enqueued", "eager", "enqueued"]
