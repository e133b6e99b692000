"""The format of log lines: text for people, or one JSON object per line for machines."""

from __future__ import annotations

import logging

from jobs import JsonLines, PrintableRecords


def configure(level: str, form: str) -> None:
    """Send every log line of this process to stderr in this format, arq's too."""
    handler = logging.StreamHandler()
    handler.addFilter(PrintableRecords())
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    security = logging.getLogger("app.security_log")
    events = logging.StreamHandler()
    events.setFormatter(JsonLines())
    security.handlers = [events]  # always JSON lines, at every level
    security.setLevel("INFO")
    security.propagate = False
    # Below this level aiosqlite logs the parameters of every statement, addresses too.
    logging.getLogger("aiosqlite").setLevel("WARNING")
    logging.getLogger("alembic").setLevel("WARNING")  # its INFO names the kind of database at every start
