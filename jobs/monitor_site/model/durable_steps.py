"""The steps of a job as people see them, who waits for an event, and what they do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any

from ... import encoding
from ...client.connection import JobsRedis
from ...errors import EncodingError, NotRetried, ResultUnknown
from ...store.stored_values import moment, moment_of, text
from ...tasks.masking import HIDDEN, Mark, without_secrets
from ...tasks.secret_names import is_secret
from ...values.calls import awaited
from ...values.exceptions import error_line
from ...values.short_text import text as shown
from ...values.short_text import time_text
from ...workflows.members import GIVEN
from .actions import call_again, is_taken, next_id, with_key
from .job_row import JobRow
from .search import row_of, rows_of

OPEN_JOB = -1  # An answer of fork.lua.
VALUE_CHARS, VALUES = 300, 2_000
MOST_STEPS, ENTRY_BYTES = 500, 4_096  # That are read at once.
MOST_WAITING = 500
KINDS = {"S": "step", "F": "step", "T": "sleep", "C": "child", "W": "event"}
"""By the first letter of an entry: see contrib/durable/entries.py."""
FAILED, TIMED_OUT, OPEN = "F", (b"X", b"D"), (b"C", b"W")


@dataclass(frozen=True)
class StepRow:
    """What is recorded under one name."""

    field: str  # The name with its kind: `step:charge[7]`.
    name: str
    kind: str  # step, child, sleep or event.
    state: str  # done, failed, waiting, timed-out, given-up (the job has ended), or unclaimed: an event without a wait.
    began: datetime | None
    ended: datetime | None  # Of a sleep: when it ends. Of a child or an event: not known.
    until: datetime | None  # Of a wait for an event: when its time is up.
    value: str  # What it returned, or the error, in one line; without secrets.
    job: str  # Of a child: its job.
    by: str = ""  # Who has sent the event.
    note: str = ""  # And why.

    @property
    def event(self) -> str:
        """The name of the event that it waits for."""
        return self.name.partition("#")[0]

    @property
    def line(self) -> str:
        """In one line, for `why`."""
        if self.kind == "sleep":
            return f"it sleeps until {time_text(self.ended)}"
        if self.state == "unclaimed":
            return f"the event {self.event} was sent, and nothing has waited for it"
        if self.kind == "event":
            until = f", until {time_text(self.until)}" if self.until else ""
            return f"it waits for the event {self.event} since {time_text(self.began)}{until}"
        return f"it waits for its child {self.job}"


@dataclass(frozen=True)
class Awaiting:
    """A job that waits for events."""

    job: JobRow
    since: datetime | None
    waits: list[StepRow]


@awaited
async def steps(connection: JobsRedis, job_id: str, most: int = MOST_STEPS, which: str = "all") -> list[StepRow]:
    """What is recorded of a job, in the order of recording; [] of one without steps. Of more than *most* steps waits
    and children, and some of the others. *which*: "waits" for events alone that are open.
    """
    found, has_ended, ms = await connection.run_script("steps", job_id, most, ENTRY_BYTES, which)
    at = moment_of(ms)
    rows = [_row(job_id, text(field), entry, size, end, at) for field, entry, size, end in found]
    found = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    return [replace(row, state="given-up") if has_ended and row.state == "waiting" else row for row in found]


async def count_steps(connection: JobsRedis, job_id: str) -> int:
    return int(await connection.hlen(connection.key.STEPS + job_id))  # type: ignore[misc]


def open_waits(rows: Sequence[StepRow]) -> list[StepRow]:
    return [row for row in rows if row.state == "waiting"]


def _row(job_id: str, field: str, data: bytes, size: int, end: bytes, at: datetime) -> tuple[int, StepRow]:
    kind_of_name, _, name = field.partition(":")
    if not data:
        return _unclaimed(field, name, end)
    try:
        entry = _stored().Entry.read(data, partial(_read, size=size))
    except EncodingError:  # a type of the application, or damaged
        return 0, StepRow(field, name, kind_of_name, "done", None, None, None, "<not shown>", "")
    kind = KINDS.get(entry.letter, kind_of_name)
    state, ended, value, about = "done", moment(entry.ended), entry.value, dict[str, Any]()
    if kind == "step":
        state = "failed" if entry.letter == FAILED else "done"
    elif kind == "sleep":
        state = "waiting" if ended and ended > at else "done"
    else:
        ended = None
        state, value, about = _end(end)
    until = moment(entry.ended) if kind == "event" and entry.ended else None
    line = _shown(name, value) if state in ("done", "failed") and kind != "sleep" else ""
    child = f"{job_id}{GIVEN}{field}" if kind == "child" else ""
    by, note = str(about.get("by", "")), str(about.get("note", ""))
    if kind == "event" and about.get("at"):
        ended = moment(about["at"])
    return entry.number, StepRow(field, name, kind, state, moment(entry.started), ended, until, line, child, by, note)


def _unclaimed(field: str, name: str, end: bytes) -> tuple[int, StepRow]:
    _, value, about = _end(end)
    sent, by, note = int(about.get("at", 0)), str(about.get("by", "")), str(about.get("note", ""))
    row = StepRow(field, name, "event", "unclaimed", None, moment(sent), None, _shown(name, value), "", by, note)
    return sent * 1000, row


def _read(data: bytes, size: int) -> list[Any]:
    """The parts of an entry of *size* bytes, whose end may be cut off: then its value is a word about it."""
    if len(data) + 1 == size:
        return list(encoding.loads_inert(data))
    try:
        reader = encoding.unpacker(data)
        return [*(reader.unpack() for _ in range(reader.read_array_header() - 1)), Mark(f"<{size:,} bytes>", "")]
    except Exception as error:
        raise EncodingError("what is kept of a step is none") from error


def _end(end: bytes) -> tuple[str, Any, dict[str, Any]]:
    """The state, value and more of an entry of the journal; '' is none yet."""
    if not end:
        return "waiting", None, {}
    if end[:1] in TIMED_OUT:
        return "timed-out", None, {}
    try:
        stored = encoding.loads_inert(end[1:]) if end[1:] else {"r": None}
    except EncodingError:  # a type of the application, or cut off
        stored = {"r": Mark("<not shown>", "")}
    return "done" if end[:1] == b"S" else "failed", stored.get("r"), stored


def _shown(name: str, value: Any) -> str:
    if is_secret(name.partition("[")[0]):
        return HIDDEN
    if isinstance(value, Mark):
        return str(value)
    if isinstance(value, BaseException):
        return error_line(value, VALUE_CHARS)
    return shown(without_secrets(value, most=VALUES), VALUE_CHARS)


@awaited
async def awaiting(connection: JobsRedis) -> list[Awaiting]:
    """The jobs that wait for events, those that wait longest first; MOST_WAITING at most."""
    found = await connection.zrange(connection.key.AWAITING, 0, MOST_WAITING - 1, withscores=True)
    since = {text(job_id): at for job_id, at in found}
    rows = [row for row in await rows_of(connection, list(since)) if row.hold == "suspended"]
    waits = {row.id: open_waits(await steps(connection, row.id, which="waits")) for row in rows}
    return [Awaiting(row, moment(since[row.id]), waits[row.id]) for row in rows]


def check_event(option: str, name: str) -> str:
    """WrongValue: no event has this name."""
    return str(_stored().check_name(option, name))


@awaited
async def send_event(
    connection: JobsRedis,
    job_id: str,
    name: str,
    value: Any = None,
    by: str = "",
    note: str = "",
    is_answer: bool = False,
) -> str:
    """Give an event to a job that has not ended. EventRefused: it has, or nobody has seen it; or, where it *is_answer*,
    nothing waits for it now.

    Returns what to know if no wait has taken it: what the job waits for instead; '' if one has.
    """
    if await _stored().send_event(connection, job_id, name, value, by, note, is_answer):
        return ""
    waits = [one.event for one in open_waits(await steps(connection, job_id)) if one.kind == "event"]
    instead = f"it waits for {', '.join(map(repr, waits))}" if waits else "it waits for no event now"
    return f"job {job_id} does not wait for {name!r}: {instead}. The event is kept for a wait of that name"


@awaited
async def run_from(connection: JobsRedis, job_id: str, field: str) -> str:
    """Run a job again, with the steps that were recorded before this one; returns the id of the new job.

    NotRetried: it has no such step, is a member of a workflow, or has not ended. ResultUnknown: its call is not kept.
    """
    entries, journal = await _stored().read(connection, job_id)
    if field not in entries:
        raise NotRetried(f"job {job_id} has no step {field!r}")
    row = await row_of(connection, job_id)
    if row is None or row.parent:
        raise NotRetried(f"job {job_id} is a member of {row.parent if row else 'nothing'}: run that again")
    numbers = {name: _stored().Entry.read(data, encoding.loads_inert).number for name, data in entries.items()}
    before = [name for name in entries if numbers[name] < numbers[field] and _is_over(entries[name], journal, name)]
    places = [name for name in before if name in journal]
    payload = await connection.get(connection.key.JOB + job_id)
    payload = payload or await connection.get(connection.key.ENDED_CALL + job_id)
    if not payload:
        raise ResultUnknown(f"the arguments of job {job_id} are not kept any more")
    stored, new_id = await with_key(connection, job_id, connection.loads(payload)), job_id
    while True:
        new_id = next_id(new_id)
        call = call_again(connection, new_id, stored, row.queue)
        words = job_id, len(before), *before, len(places), *places, *call.words()
        answer = await connection.run_script("fork", *words)
        if answer == OPEN_JOB:
            raise NotRetried(
                f"job {job_id} has not ended: both would go on. Revoke it first, or give it what it waits for"
            )
        if not is_taken(answer):
            return new_id


def _is_over(entry: bytes, journal: dict[str, bytes], name: str) -> bool:
    return entry[:1] not in OPEN or name in journal


def _stored() -> Any:
    """What reads and writes steps: no process that has no such job imports it."""
    return import_module("...contrib.durable.events", __package__)
