"""What pages, commands and metrics see of the jobs in a Redis, and what operators do about it."""

from ..monitor_site import model as _model
from ..monitor_site.model import *  # noqa: F403

__all__ = _model.__all__
