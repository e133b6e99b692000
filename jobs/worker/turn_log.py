"""Our own handler: what is logged about jobs in one turn of the event loop is one write, and needs no records."""

import asyncio
import contextlib
import logging
import os
import time
from functools import partial
from operator import attrgetter
from select import PIPE_BUF

from .execution.claimed_job import STARTED, SUCCESS

TEXT = logging.Formatter("%(asctime)s: %(message)s", "%H:%M:%S")  # as arq writes its lines
_LOGGER = logging.getLogger("arq.worker.jobs")
_way_of_records = attrgetter("makeRecord", "handle", "filter", "callHandlers")
_STOCK = tuple(f for f in _way_of_records(logging.Logger) if getattr(f, "__globals__", None) is vars(logging))
_made: list["TurnHandler"] = []


class TurnHandler(logging.StreamHandler):  # type: ignore[type-arg]  # of whatever stderr is
    """Holds the first and the last line of a job until this turn ends, `flush` is called, or another record comes."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(TEXT)
        self._held = list[str]()
        self._second, self._time = 0, ""
        _made.append(self)
        os.register_at_fork(after_in_child=lambda: self._held.clear())  # the parent writes them

    def say(self, message: str) -> None:
        """Hold a line in the form TEXT, of which no record is made."""
        if (second := int(time.time())) != self._second:
            self._second, self._time = second, time.strftime(TEXT.datefmt or "", TEXT.converter(second))
        self._hold(f"{self._time}: {message}")

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._hold(self.format(record))
            if record.name != _LOGGER.name or vars(record).get("state") not in (STARTED, SUCCESS):
                self._write_held()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        with contextlib.suppress(Exception):  # a stream that is closed
            self._write_held()

    def _hold(self, line: str) -> None:
        with self.lock:  # type: ignore[union-attr]  # every handler has one
            self._held.append(line + self.terminator)
        if len(self._held) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def _write_held(self) -> None:
        with self.lock:  # type: ignore[union-attr]
            lines, self._held = self._held, []
            if lines:
                self._write(lines)
                super().flush()

    def _write(self, lines: list[str]) -> None:
        """At once, or in parts that a pipe does not mix with what other workers write into it."""
        text, half = "".join(lines), len(lines) // 2
        if half and len(text.encode(errors="replace")) > PIPE_BUF:
            self._write(lines[:half])
            self._write(lines[half:])
        else:
            self.stream.write(text)


def flush() -> None:
    for handler in _made:
        handler.flush()


def only_reader() -> TurnHandler | None:
    """Our handler, if a line of a job goes there alone, in the form TEXT, and nobody else would see its record."""
    found: logging.Handler | None = None
    logger: logging.Logger | None = _LOGGER if _made else None
    while logger is not None:
        for handler in logger.handlers:
            if found is not None:
                return None
            found = handler
        logger = logger.parent if logger.propagate else None
    if not isinstance(found, TurnHandler) or found.formatter is not TEXT or found.filters or found.level > logging.INFO:
        return None
    is_patched = type(_LOGGER.handle) is not partial or "callHandlers" in vars(_LOGGER) or len(_LOGGER.filters) > 1
    return None if is_patched or not records_are_stock() else found


def records_are_stock() -> bool:
    """Are records made and handled by `logging` itself? A tracer may have put its own functions there."""
    return _way_of_records(type(_LOGGER)) == _STOCK and logging.getLogRecordFactory() is logging.LogRecord
