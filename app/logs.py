"""How log lines look: text for people, one JSON object per line for machines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


def configure(level: str, form: str) -> None:
    """Send every log line of this process to stderr in this form, arq's too."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        Json() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel("WARNING")  # it names the kind of database, at every start
    logging.getLogger("arq").handlers.clear()  # its CLI has put one there; ours gets the lines by propagation


class Json(logging.Formatter):
    """One line per record, whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
