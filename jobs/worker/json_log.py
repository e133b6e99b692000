"""Log lines for machines: one JSON object per line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from ..values.short_text import text
from ..values.untrusted_text import printable_json

SHOWN_CHARS = 1_000
"""Characters of a value that JSON has no form for."""
_PLAIN = frozenset({str, int, float, bool, type(None)})
_ALWAYS = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class JsonLines(logging.Formatter):
    """Time, level, logger and message, with whatever the line was given as `extra`: of a job its `job_id`, `task`,
    `state` and `run_s`. Always one line, whatever the message holds.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _ALWAYS},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return printable_json(_json(line))


def _json(line: dict[str, Any]) -> str:
    try:
        return json.dumps(line, ensure_ascii=False, default=text)
    except Exception:  # names that are no texts, a value that holds itself or is nested too deep
        plain = {name: value if type(value) in _PLAIN else text(value, SHOWN_CHARS) for name, value in line.items()}
        return json.dumps(plain, ensure_ascii=False)


def use_json_lines() -> None:
    """Give every handler of the root and of arq this form, as arq's command line has put its own there."""
    for logger in (logging.getLogger(), logging.getLogger("arq")):
        for handler in logger.handlers:
            handler.setFormatter(JsonLines())
