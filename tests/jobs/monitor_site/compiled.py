"""Templates of the monitor, compiled once for all tests: it would be most of the time of each."""

from __future__ import annotations

from jinja2 import FileSystemBytecodeCache

from jobs.monitor_site.application import Monitor

TEMPLATES = FileSystemBytecodeCache(pattern="quarq_monitor_%s")


def compiled(app: Monitor) -> Monitor:
    """*app*, with the templates that another test has compiled."""
    app.jinja_env.bytecode_cache = TEMPLATES
    return app
