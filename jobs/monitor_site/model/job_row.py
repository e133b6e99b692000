"""A job as one row of a list, and the bounded steps along an index of jobs that read such rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ...client.connection import JobsRedis
from ...client.job_info import JobRecord, attempts_of, read_record
from ...store.stored_values import moment, whole_ms
from ...store.stored_values import text as text_of
from ...tasks.declarations import KnownTask, KnownTasks
from ...values.exceptions import error_line, spelled
from ...values.short_text import cut, text
from .masked_call import MaskedCall, masked_call_of
from .search_indexes import SearchIndex
from .wanted import Wanted

ERROR_CHARS = 200
EVERY_JOB = Wanted(datetime.max)
SHOWN, SEARCHED = 4096, 65536  # Bytes of a call that are read, and for a search in it: its arguments come first.


@dataclass(frozen=True)
class JobRow(JobRecord):
    args: str  # In one line, without secrets; '' also where nothing is kept of them.
    error: str  # Of one that failed, was revoked or waits for its retry: the first line of why.
    name: str  # Of a workflow, made of its tree: see stored_tree.py; '' where an earlier release has stored it.
    kind: str  # workflow, steps (it has some), member (of one), retry (it waits for one); or '' for a plain call.
    parent: str  # The workflow that it is a member of.
    hold: str = ""
    """What its keys alone say of why it does not run, as the code of a Reason: rate-limit, concurrency-limit, suspect,
    stopping, running (a stock arq worker has it), suspended (it has steps, and waits) or ''. A Situation knows the
    other reasons."""
    error_id: str = ""  # Of the ErrorGroup of its last attempt that failed.
    expires: datetime | None = None  # It does not start after this time.
    reason: str = ""  # The code of the first Reason that `why` gives; '' where only its own keys were looked at.


@dataclass(frozen=True)
class Step:
    """Where the next step begins, `at_end` if there is none, and the jobs that fit."""

    last: str
    last_id: str
    at_end: bool
    rows: list[JobRow]


START = Step("", "", False, [])


async def step_along(
    connection: JobsRedis,
    known: KnownTasks,
    index: SearchIndex,
    after: Step = START,
    look_at: int = 0,
    most: int = 0,
    wanted: Wanted = EVERY_JOB,
    ids: Sequence[str] = (),
    call_bytes: int = SHOWN,
) -> Step:
    """At most *most* wanted ones of the next *look_at* jobs, with arguments masked by *known*: see find.lua."""
    where = index.how, index.key, after.last, after.last_id, *index.between
    filters = index.states, wanted.first_look, SEARCHED if wanted.in_calls else call_bytes
    score, reached, at_end, names, found = await connection.run_script("find", *where, look_at, most, *filters, *ids)
    rows = (_read_row(connection, known, names, raw, wanted) for raw in found)
    placed = [row if row.queue else replace(row, queue=index.queue) for row in rows if row]
    return Step(text_of(score), text_of(reached), at_end == 1, placed)


def _read_row(
    connection: JobsRedis, known: KnownTasks, names: Sequence[bytes], raw: Sequence[Any], wanted: Wanted
) -> JobRow | None:
    """A row of find.lua, whose fields have these names; its arguments are masked. None if it is not wanted."""
    job_id, state, values, hold, stored = raw
    record, state = dict(zip(names, values, strict=True)), text_of(state)
    call = masked_call_of(connection, known, stored)
    fields = vars(read_record(text_of(job_id), state, record))
    tree, parent, log = (record[name] for name in (b"tree", b"parent", b"log"))
    name = "" if tree == b"1" else text_of(tree)
    row = JobRow(
        # where stock arq has called it, only the payload names the task
        **fields | {"task": fields["task"] or (call.task if call else "")},
        args=call.line if call else "",
        error=error_of(log, state) if state in ("FAILURE", "REVOKED", "RETRY") else "",
        name=name,
        kind=_kind(state, tree, record[b"steps"], parent),
        parent=text_of(parent),
        hold=text_of(hold),
        error_id=text_of(record[b"error"]),
        expires=moment(whole_ms(record[b"expires"])),
    )
    parameters = known.get(row.task, KnownTask()).secrets.parameters
    is_in = not wanted.in_calls or wanted.is_in(row, name, call or MaskedCall(), log, parameters)
    return row if is_in and wanted.fits(row, row.error_id) else None


def _kind(state: str, tree: bytes | None, steps: bytes | None, parent: bytes | None) -> str:
    if tree or whole_ms(steps) > 1:  # bytes of its steps; 1 where there is none yet
        return "workflow" if tree else "steps"
    return "member" if parent else "retry" if state == "RETRY" else ""


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
        run_s=(ended - began) / 1000, attempts=tries, retries=tries - 1, name="", kind="", parent="",
    )  # fmt: skip


def error_text(error: Any, limit: int) -> str:
    """`shop.CardDeclined: no luck`, cut, whatever the exception's text does."""
    return cut(error_line(error, limit), limit) if isinstance(error, BaseException) else text(error, limit)


def error_of(log: bytes, state: str = "") -> str:
    """The first line of the last attempt's text; of a traceback, the first line of its exception. An attempt that was
    lost or put back is no reason of a job that was revoked while it waited."""
    attempts = attempts_of(log)
    if state == "REVOKED" and attempts and attempts[-1].outcome in ("LOST", "PENDING"):
        return ""
    lines = attempts[-1].text.splitlines() if attempts else []
    frames = [n for n, line in enumerate(lines) if line.startswith(("Traceback ", '  File "'))]
    after = [line for line in lines[frames[-1] + 1 :] if not line.startswith(" ")] if frames else lines
    return cut(spelled(after[0]), ERROR_CHARS) if after else ""
