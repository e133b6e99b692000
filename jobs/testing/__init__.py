"""For the tests of applications: run calls at once without Redis and workers, or look at what was enqueued."""

from .eager_mode import eager
from .enqueued_jobs import Enqueued, assert_enqueued, enqueued

__all__ = ["Enqueued", "assert_enqueued", "eager", "enqueued"]
