"""A job as one row of a list."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack

from ..client.connection import JobsRedis
from ..client.job_info import NO_LOG
from ..store.stored_values import moment, whole
from ..tasks.declarations import KnownTasks
from ..values.short_text import cut, said, text
from .masked_call import Shown, shown_call
from .search_text import Needle

ERROR = 200
"""Characters of an error in a row."""


@dataclass(frozen=True)
class JobRow:
    """A job in a list. Times are in UTC, by Redis' clock; `run_s`: its last attempt."""

    id: str
    state: str
    task: str
    queue: str
    worker: str
    args: str
    """In one line, without secrets; '' also where nothing is kept of them."""
    error: str
    """Of one that failed, was revoked or waits for its retry: the first line of why."""
    enqueued: datetime | None
    due: datetime | None
    started: datetime | None
    finished: datetime | None
    run_s: float | None
    attempts: int
    retries: int
    kind: str
    """workflow, member (of one), retry (it waits for one); or '' for a plain call."""
    parent: str
    """The workflow that it is a member of."""
    held: bool = False
    """It is due, but a rate limit or a concurrency limit holds it back."""
    unknown: bool = False
    """It is due, but a worker that did not know its task has put it back."""


@dataclass(frozen=True)
class Found:
    """A row, and what a search for text has to look at besides."""

    row: JobRow
    call: Shown | None
    log: bytes

    def holds(self, needle: Needle) -> bool:
        """Does *needle* stand in what may be seen of this job? Never because of a secret."""
        if not needle.typed:
            return True
        seen = (self.row.id, self.row.task, *(text for _, text in log_of(self.log)))
        return any(map(needle.is_in, seen)) or (self.call is not None and self.call.holds(needle))


def read_row(connection: JobsRedis, known: KnownTasks, raw: Sequence[Any]) -> Found:
    """Make sense of a row of find.lua."""
    job_id, state, fields, held, stored = raw
    (task, queue, worker, enqueued, due, received, finished, run, attempts, retries, tree, parent, _, log) = (
        fields
    )
    call = shown_call(connection, known, stored)
    name, shown_state = (
        task.decode(errors="replace") or (call.task if call else ""),
        state.decode(errors="replace"),
    )
    row = JobRow(
        id=job_id.decode(errors="replace"),
        state=shown_state,
        task=name,
        queue=queue.decode(errors="replace"),
        worker=worker.decode(errors="replace"),
        args=call.line if call else "",
        error=error_of(log) if shown_state in ("FAILURE", "REVOKED", "RETRY") else "",
        enqueued=moment(enqueued),
        due=moment(due),
        started=moment(received),
        finished=moment(finished),
        run_s=whole(run) / 1000 if run else None,
        attempts=whole(attempts),
        retries=whole(retries),
        kind="workflow" if tree else "member" if parent else "retry" if shown_state == "RETRY" else "",
        parent=parent.decode(errors="replace"),
        held=held == 1,
        unknown=held == 2,
    )
    return Found(row, call, log)


def row_of_result(
    connection: JobsRedis, known: KnownTasks, job_id: str, state: str, stored: bytes
) -> JobRow | None:
    """The row of a job of which only the result is left; None if those bytes are no result."""
    try:
        told = connection.loads(stored)
        queue, began, ended = connection.key.queue_name(told["q"]), int(told["st"]), int(told["ft"])
        value, enqueued, tries = told["r"], int(told["et"]), int(told["t"])
    except Exception:  # nobody's bytes
        return None
    call = shown_call(connection, known, stored)
    error = "" if state == "SUCCESS" else error_text(value, ERROR)
    return JobRow(
        id=job_id, state=state, task=call.task if call else "", queue=queue, worker="",
        args=call.line if call else "", error=error,
        enqueued=moment(enqueued), due=None, started=moment(began), finished=moment(ended),
        run_s=(ended - began) / 1000, attempts=tries, retries=tries - 1, kind="", parent="",
    )  # fmt: skip


def error_text(error: Any, limit: int) -> str:
    """`ValueError: no luck`, cut, whatever the exception's text does."""
    shown = said(error, limit) if isinstance(error, BaseException) else text(error, limit)
    return cut(f"{type(error).__name__}: {shown}", limit)


def log_of(log: bytes) -> list[tuple[str, str]]:
    """Outcome and text of each attempt that a record's log holds."""
    unpacker: Any = msgpack.Unpacker(raw=False, strict_map_key=False)
    unpacker.feed(log)
    read: list[tuple[str, str]] = []
    with contextlib.suppress(*NO_LOG):
        for entry in unpacker:
            read.append((str(entry[4]), str(entry[5])))
    return read


def error_of(log: bytes) -> str:
    """The first line of what the last attempt says; of a traceback, the first line of its exception."""
    entries = log_of(log)
    lines = entries[-1][1].splitlines() if entries else []
    frames = [n for n, line in enumerate(lines) if line.startswith(("Traceback ", '  File "'))]
    after = [line for line in lines[frames[-1] + 1 :] if not line.startswith(" ")] if frames else lines
    return cut(after[0], ERROR) if after else ""
