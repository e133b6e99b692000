"""Limits of tasks and of their keys, changed while jobs wait: `await limits.set(sync, 2, tenant_id=7)`."""

from .monitor_site.model.public_limits import LimitInfo, list, pause, resume, set

__all__ = ["LimitInfo", "list", "pause", "resume", "set"]
