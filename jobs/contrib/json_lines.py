"""Log lines for machines, one JSON object per line: `log_format="json"`, and `JsonLines` in a configuration."""

import json
import logging
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from ..tasks.current import running_job
from ..values.short_text import text
from ..values.untrusted_text import printable_json
from ..worker.execution.job_log import log_fields

SHOWN_CHARS = 1_000  # Characters of a value that JSON has no form for.
_PLAIN = frozenset({str, int, bool, type(None)})
_ALWAYS = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class JsonLines(logging.Formatter):
    """Time, level, logger and message, with whatever the line was given as `extra`. Lines that are written inside a job
    have its `job_id` and `task`; those of the worker about a job also `state`, and at its end `run_s`.
    Always one line, whatever the message holds.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _ALWAYS},
        }
        if "job_id" not in line and (job := _job_of_this_line()):
            line = {**line, "job_id": job[0], "task": line.get("task", job[1])}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return printable_json(_json(line))


def _json(line: dict[str, Any]) -> str:
    try:
        return json.dumps(line, ensure_ascii=False, allow_nan=False, default=text)
    except Exception:  # names that are no texts, a value that holds itself or is nested too deep, NaN
        plain = {str(name): value if _is_plain(value) else text(value, SHOWN_CHARS) for name, value in line.items()}
        return json.dumps(plain, ensure_ascii=False)


def _is_plain(value: Any) -> bool:
    return type(value) in _PLAIN or (type(value) is float and isfinite(value))


def _job_of_this_line() -> tuple[str, str] | None:
    """Handlers format a line in the context that wrote it, unless a queue is between them."""
    if job := log_fields.get(None):
        return job
    running = running_job()  # in a process of its own, or in a test
    return (running.request.id, running.name) if running is not None and running.request.id else None


def use_json_lines() -> None:
    """Give every handler of this process this form, and those that they hand lines on to."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = [one for logger in loggers if isinstance(logger, logging.Logger) for one in logger.handlers]
    for handler in handlers:
        if not isinstance(handler.formatter, JsonLines):
            handler.setFormatter(JsonLines())
        if isinstance(target := getattr(handler, "target", None), logging.Handler) and target not in handlers:
            handlers.append(target)
