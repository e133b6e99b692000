"""A job as one row of a list, and the bounded steps along an index of jobs that read such rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..client.connection import JobsRedis
from ..client.job_info import JobRecord, attempts_of, read_record
from ..store import scripts
from ..store.stored_values import moment
from ..store.stored_values import text as text_of
from ..tasks.declarations import KnownTasks
from ..values.short_text import cut, said, text
from .masked_call import MaskedCall, masked_call_of
from .search_text import Needle

ERROR_CHARS = 200
"""Characters of an error in a row."""


@dataclass(frozen=True)
class JobRow(JobRecord):
    """A job in a list."""

    args: str
    """In one line, without secrets; '' also where nothing is kept of them."""
    error: str
    """Of one that failed, was revoked or waits for its retry: the first line of why."""
    kind: str
    """workflow, member (of one), retry (it waits for one); or '' for a plain call."""
    parent: str
    """The workflow that it is a member of."""
    held: bool = False
    """It is due, but a rate limit or a concurrency limit holds it back."""
    unknown: bool = False
    """It is due, but a worker that did not know its task has put it back."""


@dataclass(frozen=True)
class SearchHit:
    """A row, and what else a search for text has to look at."""

    row: JobRow
    call: MaskedCall | None
    log: bytes

    def holds(self, needle: Needle) -> bool:
        """Is *needle* in what may be seen of this job? Never because of a secret."""
        if not needle.typed:
            return True
        seen = (self.row.id, self.row.task, *(attempt.text for attempt in attempts_of(self.log)))
        return any(map(needle.is_in, seen)) or (self.call is not None and self.call.holds(needle))


def _read_hit(connection: JobsRedis, known: KnownTasks, names: Sequence[bytes], raw: Sequence[Any]) -> SearchHit:
    """A row of find.lua, whose fields have these names; its arguments are masked."""
    job_id, state, values, held, stored = raw
    record, state = dict(zip(names, values, strict=True)), text_of(state)
    call = masked_call_of(connection, known, stored)
    fields = read_record(text_of(job_id), state, record)
    tree, parent, log = (record[name] for name in (b"tree", b"parent", b"log"))
    row = JobRow(
        **fields | {"task": fields["task"] or (call.task if call else "")},
        args=call.line if call else "",
        error=error_of(log) if state in ("FAILURE", "REVOKED", "RETRY") else "",
        kind="workflow" if tree else "member" if parent else "retry" if state == "RETRY" else "",
        parent=text_of(parent),
        held=held == 1,
        unknown=held == 2,
    )
    return SearchHit(row, call, log)


@dataclass(frozen=True)
class Step:
    """Where the next step begins, `at_end` if there is none, and the jobs that fit."""

    last: str
    last_id: str
    at_end: bool
    hits: list[SearchHit]


async def step_along(
    connection: JobsRedis,
    known: KnownTasks,
    how: str,
    key: str = "",
    last: str = "",
    last_id: str = "",
    between: tuple[str, str] = ("-inf", "+inf"),
    look_at: int = 0,
    most: int = 0,
    states: str = "",
    filters: Sequence[str | bytes] = ("", "", "", ""),
    ids: Sequence[str] = (),
) -> Step:
    """Look at *look_at* jobs behind the last one, and return at most *most* of those that fit: see find.lua.

    *known* masks their arguments.
    """
    score, reached, at_end, names, rows = await connection.run_script(
        scripts.FIND, how, key, last, last_id, *between, look_at, most, states, *filters, *ids
    )
    hits = [_read_hit(connection, known, names, row) for row in rows]
    return Step(text_of(score), text_of(reached), at_end == 1, hits)


def row_of_result(connection: JobsRedis, known: KnownTasks, job_id: str, state: str, stored: bytes) -> JobRow | None:
    """The row of a job of which only the result is left; None if those bytes are no result."""
    try:
        result = connection.loads(stored)
        queue, began, ended = connection.key.queue_name(result["q"]), int(result["st"]), int(result["ft"])
        value, enqueued, tries = result["r"], int(result["et"]), int(result["t"])
    except Exception:  # not written by us
        return None
    call = masked_call_of(connection, known, stored)
    error = "" if state == "SUCCESS" else error_text(value, ERROR_CHARS)
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


def error_of(log: bytes) -> str:
    """The first line of the last attempt's text; of a traceback, the first line of its exception."""
    attempts = attempts_of(log)
    lines = attempts[-1].text.splitlines() if attempts else []
    frames = [n for n, line in enumerate(lines) if line.startswith(("Traceback ", '  File "'))]
    after = [line for line in lines[frames[-1] + 1 :] if not line.startswith(" ")] if frames else lines
    return cut(after[0], ERROR_CHARS) if after else ""
