"""The two lines that each job writes, in arq's words, and our handler, by which those of one turn are one write."""

import asyncio
import contextlib
import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from operator import attrgetter
from select import PIPE_BUF
from typing import Any

import arq.worker

from ...tasks import masking
from ...values.short_text import said, text
from ...values.untrusted_text import PrintableRecords, printable

from .claimed_job import (  # isort: skip
    PARKED, PENDING, RETRY, REVOKED, STARTED, SUCCESS, SUSPENDED, UNKNOWN_AGAIN_S, CallData, ClaimedJob, Outcome,
)  # fmt: skip

logger = logging.getLogger("arq.worker.jobs")
logger.addFilter(PrintableRecords())

SHOWN_CHARS = 80  # Characters of arguments or results that a line shows, and values that are looked at for them.
ERROR_CHARS = 10_000  # Characters of an exception's text in the line of a failure.
REASON_CHARS = 1_000  # And in the line of a retry, and in the log of attempts.

log_fields: ContextVar[tuple[str, str]] = ContextVar("jobs_log_fields")
"""The id and the task of the job that the lines of the rest of this asyncio task belong to."""

TEXT = logging.Formatter("%(asctime)s: %(message)s", "%H:%M:%S")  # as arq writes its lines
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
            if record.name != logger.name or vars(record).get("state") not in (STARTED, SUCCESS):
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
    above: logging.Logger | None = logger if _made else None
    while above is not None:
        for handler in above.handlers:
            if found is not None:
                return None
            found = handler
        above = above.parent if above.propagate else None
    if not isinstance(found, TurnHandler) or found.formatter is not TEXT or found.filters or found.level > logging.INFO:
        return None
    is_patched = type(logger.handle) is not partial or "callHandlers" in vars(logger) or len(logger.filters) > 1
    return None if is_patched or not records_are_stock() else found


def records_are_stock() -> bool:
    """Are records made and handled by `logging` itself? A tracer may have put its own functions there."""
    return _way_of_records(type(logger)) == _STOCK and logging.getLogRecordFactory() is logging.LogRecord


def received(job: ClaimedJob, call: CallData, secrets: masking.Secrets) -> None:
    """→ it starts. Its *secrets* are hidden."""
    if not logger.isEnabledFor(logging.INFO):
        return
    shown = ""
    if call.args or call.kwargs:
        seen = masking.masked(call.task, call.args, call.kwargs, most=SHOWN_CHARS, secrets=secrets)
        shown = masking.call_text(*seen, SHOWN_CHARS)
    extra = f" try={job.attempts}" if job.attempts > 1 else ""
    late_s = (job.received - job.due) / 1000 if job.due else 0
    if late_s > 1.2:
        extra += f" delayed={late_s:.2f}s"
    waited_s = (job.received - (job.enqueued or job.received)) / 1000
    ref = f"{job.id}:{call.task}"
    _info("%6.2fs → %s(%s)%s", (waited_s, ref, shown, extra), lambda: _fields(job, call, STARTED))


def ended(job: ClaimedJob, call: CallData, outcome: Outcome, run_s: float, log_results: bool) -> None:
    """← it returned, ! it failed, ↻ it will run again, ⊘ it was stopped."""
    ref = f"{job.id}:{call.task}"
    if outcome.state == SUCCESS:
        if logger.isEnabledFor(logging.INFO):
            shown = "" if outcome.value is None or not log_results else text(outcome.value, SHOWN_CHARS)
            _info("%6.2fs ← %s ● %s", (run_s, ref, shown), lambda: _fields(job, call, SUCCESS, run_s))
        return
    fields = _fields(job, call, outcome.state, run_s)
    if outcome.state == PENDING or (outcome.state == RETRY and outcome.why == "cancelled"):
        logger.info("%6.2fs ↻ %s cancelled, will be run again", run_s, ref, extra=fields)
    elif outcome.state == RETRY:
        why = _reason(reason_of(outcome.value))
        logger.info("%6.2fs ↻ %s retrying job in %0.2fs%s", run_s, ref, outcome.delay_s, why, extra=fields)
    elif outcome.state == PARKED:
        logger.info("%6.2fs ↻ %s waits for its members", run_s, ref, extra=fields)
    elif outcome.state == SUSPENDED:
        logger.info("%6.2fs ↻ %s %s", run_s, ref, outcome.why, extra=fields)
    elif outcome.state == REVOKED:
        logger.info("%6.2fs ⊘ %s aborted", run_s, ref, extra=fields)
    else:
        error = outcome.value
        words = ref, type(error).__name__, said(error, ERROR_CHARS)
        if outcome.by_member:
            logger.warning("%6.2fs ! %s failed with a member, %s: %s", run_s, *words, extra=fields)
        else:
            if (extra := _extra(error)) is not None:
                fields["extra"] = extra
            logger.error("%6.2fs ! %s failed, %s: %s", run_s, *words, exc_info=error, extra=fields)


def refused(job: ClaimedJob, call: CallData, outcome: Outcome) -> None:
    """One that waits for a worker that knows its task is looked at every few seconds: of it once a minute. One that
    is put back with its keys is not logged."""
    if outcome.keys:
        return
    if outcome.unknown_since and (job.received - outcome.unknown_since) % 60_000 >= UNKNOWN_AGAIN_S * 1000:
        return
    ref, fields = f"{job.id}:{call.task}", _fields(job, call, outcome.state)
    late_s = (job.received - (job.enqueued or job.received)) / 1000
    if outcome.state == REVOKED:
        why = "aborted" if outcome.why == "revoked" else outcome.why
        logger.info("%6.2fs ⊘ %s %s before start", late_s, ref, why, extra=fields)
    else:
        logger.warning("%6.2fs ! %s %s", time.monotonic() - job.started, ref, outcome.why, extra=fields)


def _info(message: str, args: tuple[object, ...], fields: Callable[[], dict[str, Any]]) -> None:
    """`logger.info()` that does not look for its caller, which takes long, and makes no record that nobody sees."""
    if (reader := only_reader()) is not None:
        reader.say(printable(message % args))
        return
    if not records_are_stock():
        logger.info(message, *args, extra=fields())
        return
    now = time.time()
    common, began = _common(os.getpid(), threading.current_thread())
    record = logging.LogRecord.__new__(logging.LogRecord)
    own = {"msg": message, "args": args, "created": now, "msecs": now % 1 * 1000 // 1}
    vars(record).update(common, relativeCreated=now * 1000 - began, **own, **fields())
    logger.handle(record)


@functools.lru_cache(maxsize=4)
def _common(pid: int, thread: threading.Thread) -> tuple[dict[str, Any], float]:
    """What all records of a process and thread have in common, and when its logging began, in milliseconds."""
    record = logging.LogRecord(logger.name, logging.INFO, __file__, 0, "", (), None, func="_info")
    return vars(record), record.created * 1000 - record.relativeCreated


def _fields(job: ClaimedJob, call: CallData, state: str, run_s: float | None = None) -> dict[str, Any]:
    """The fields of a line for machines, see contrib.json_lines."""
    fields: dict[str, Any] = {"job_id": job.id, "task": call.task, "state": state}
    if run_s is not None:
        fields["run_s"] = round(run_s, 6)
    return fields


def reason_of(error: BaseException | None) -> BaseException | None:
    """What made an attempt fail. arq's Retry is no reason; what it was raised from, or while handling, may be one."""
    if isinstance(error, arq.worker.Retry | arq.worker.RetryJob):
        return error.__cause__ or error.__context__
    return error


def _reason(error: BaseException | None) -> str:
    return "" if error is None else f", {type(error).__name__}: {said(error, REASON_CHARS)}"


def _extra(error: Any) -> Any:
    """An exception may carry what its line should say for machines: arq's `extra`, a value or a method."""
    try:
        extra = getattr(error, "extra", None)
        return extra() if callable(extra) else extra
    except Exception as mistake:
        return text(mistake)
