"""For the tests of applications: eager mode, a look at what was enqueued, workers in the test, and virtual time."""

from .contrib.testing import Clock, Enqueued, Workers, assert_enqueued, eager, enqueued

__all__ = ["Clock", "Enqueued", "Workers", "assert_enqueued", "eager", "enqueued"]
