"""How log lines look: text for people, one JSON object per line for machines."""

from __future__ import annotations

import logging

from jobs import JsonLines, PrintableRecords


def configure(level: str, form: str) -> None:
    """Send every log line of this process to stderr in this form, arq's too."""
    handler = logging.StreamHandler()
    handler.addFilter(PrintableRecords())
    handler.setFormatter(
        JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    security = logging.getLogger("app.security_log")
    events = logging.StreamHandler()
    events.setFormatter(JsonLines())
    security.handlers = [events]  # one JSON line each in either form, at every level
    security.setLevel("INFO")
    security.propagate = False
    # Below it, it writes down every address that SQLite is given.
    logging.getLogger("aiosqlite").setLevel("WARNING")
    logging.getLogger("alembic").setLevel("WARNING")  # it names the kind of database, at every start
    logging.getLogger("arq").handlers.clear()  # its CLI has put one there; ours gets the lines by propagation
