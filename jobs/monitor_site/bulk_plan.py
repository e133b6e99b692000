"""Many jobs at once, first as a plan: which of the jobs that a query finds, and why not the others."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Final
from uuid import uuid4

from .. import encoding
from ..client.connection import JobsRedis
from ..errors import QuarqError, WrongValue
from ..store.store import now
from ..store.stored_values import chunked, whole
from ..tasks.rate_limit import stored_rate
from ..values import checks
from ..values.short_text import count
from .model.actions import next_id
from .model.job_row import JobRow
from .model.search import matching, rows_of
from .query import Query

TASK: Final = "jobs.bulk"
MOST, BATCH = 100_000, 500  # Jobs that a plan looks at, and how many it asks about together.
MOST_GROUPS = 20  # Tasks and errors that the command line lists.
PLAN_KEPT_S, RUN_KEPT_S = 3_600, 7 * 86_400
_WAITS, _ALIVE = ("PENDING", "RETRY"), ("PENDING", "RETRY", "STARTED")
FITS: Final = {
    "retry": ("FAILURE", "REVOKED"), "revoke": _ALIVE, "terminate": _ALIVE, "purge": _WAITS, "move": _WAITS,
}  # fmt: skip
"""What can be done to many jobs, and the states of those that it is done to."""


@dataclass(frozen=True)
class PlanGroup:
    """Jobs of one task with one type of error; '' for none."""

    task: str
    error: str
    jobs: int


@dataclass(frozen=True)
class Plan:
    """What a run will do to which jobs, as they were `at` that moment. What comes later is not touched."""

    id: str
    action: str
    query: str  # Or how many jobs were chosen, and the first of their ids.
    at: datetime
    queue: str = ""  # Where a move goes.
    rate: str = ""  # How many at most: `5/s`; '' is as fast as it goes.
    jobs: int = 0  # How many it is done to.
    groups: Sequence[PlanGroup] = ()  # How many of each task and type of error; the most first.
    left_out: Mapping[str, int] = field(default_factory=dict)  # How many others were found, by why they are left out.
    is_chosen: bool = False  # The jobs were given by their ids.
    more: bool = False  # There are more than MOST: those need another plan.
    done: int = 0  # How many its run has looked at.
    skipped: int = 0  # How many of those it has left alone, as they have changed since.

    @property
    def each_s(self) -> float:
        """The seconds for each job that its rate makes of it."""
        count, window_ms = stored_rate(self.rate).split() if self.rate else ("1", "0")
        return int(window_ms) / 1000 / float(count)

    @property
    def lines(self) -> list[str]:
        """All of it, for the command line."""
        found = [f"{self.action}: {count(self.jobs, 'job')}{f' to {self.queue}' if self.queue else ''}"]
        found += [f"{group.jobs:8,}  {group.task}  {group.error}".rstrip() for group in self.groups[:MOST_GROUPS]]
        if rest := self.groups[MOST_GROUPS:]:
            found.append(f"{sum(group.jobs for group in rest):8,}  of {count(len(rest), 'other task')} or error")
        found += [f"{n:8,}  left out: {why}" for why, n in self.left_out.items()]
        if self.more:
            found.append("More match than were looked at: the others need another run.")
        return [*found, f"At {self.rate} it takes {self.jobs * self.each_s:,.0f} s."] if self.rate else found

    @property
    def progress(self) -> dict[str, int]:
        return {"done": self.done, "total": self.jobs, "skipped": self.skipped}


async def plan(
    connection: JobsRedis,
    action: str,
    query: Query | Sequence[str],
    *,
    zone: tzinfo = UTC,
    queue: str = "",
    rate: str = "",
) -> Plan:
    """Count what *action* does to the jobs that a query finds, or to those of some ids, and keep their ids for an hour:
    nothing is done before `start`. Times of day in the query are by the clocks of *zone*.

    WrongValue, SettingsMistake: an action, queue or rate that there cannot be, a rate that needs more than a week, or a
    query without a word: all jobs there are is never meant.
    """
    if action not in FITS:
        raise WrongValue(f"action={action!r:.80}: it is one of {', '.join(FITS)}")
    if action == "move":
        checks.queue("queue", queue)
    is_chosen = not isinstance(query, Query)
    made = Plan(uuid4().hex, action, _text_of(query), await now(connection), queue, rate, is_chosen=is_chosen)
    rows = matching(connection, query.wanted(made.at, zone)) if isinstance(query, Query) else _these(connection, query)
    left_out, groups, ids, seen = Counter[str](), Counter[tuple[str, str]](), dict[str, None](), 0
    async for some in _batches(rows, made.at):
        for row, (job_id, why) in zip(some, await _looked_at(connection, made, some), strict=True):
            groups[row.task, _error_type(row)] += bool(job_id) and job_id not in ids
            left_out[why] += 1
            ids[job_id] = None
        if (seen := seen + len(some)) > MOST:
            break
    found = [job_id for job_id in reversed(ids) if job_id]  # the oldest first
    counted = [PlanGroup(*of_what, n) for of_what, n in groups.most_common() if n]
    reasons = {why: n for why, n in left_out.items() if why}
    made = replace(made, jobs=len(found), groups=counted, left_out=reasons, more=seen > MOST)
    if made.jobs * made.each_s > RUN_KEPT_S:
        raise WrongValue(f"rate={rate!r}: {made.jobs:,} jobs take longer than a week; give a higher rate")
    plain = vars(made) | {"groups": [list(vars(group).values()) for group in counted]}
    about, packed = encoding.dumps(plain), encoding.dumps(found)
    async with connection.pipeline() as pipe:
        pipe.hset(connection.key.BULK + made.id, mapping={"about": about, "ids": packed, "next": 0, "skipped": 0})
        pipe.expire(connection.key.BULK + made.id, PLAN_KEPT_S)
        await pipe.execute()
    return made


async def read_plan(connection: JobsRedis, plan_id: str) -> Plan:
    """A plan, and how far its run has come. QuarqError if there is none of that id any more."""
    stored = await connection.hmget(connection.key.BULK + plan_id, ["about", "next", "skipped"])  # type: ignore[misc]
    if not stored[0]:
        raise QuarqError(f"there is no plan {plan_id!r:.80} any more: make a new one")
    about = encoding.loads(stored[0])
    groups = [PlanGroup(*group) for group in about["groups"]]
    return Plan(**about | {"groups": groups, "done": whole(stored[1]), "skipped": whole(stored[2])})


def _text_of(query: Query | Sequence[str]) -> str:
    if isinstance(query, Query):
        if not query.terms:
            raise WrongValue("the query is empty: write what the jobs have in common, such as state:waiting")
        return str(query)
    return f"{count(len(query), 'chosen job')}: {', '.join(query[:3])}{', …' if len(query) > 3 else ''}"


async def _these(connection: JobsRedis, ids: Sequence[str]) -> AsyncIterator[JobRow]:
    for row in await rows_of(connection, list(ids[: MOST + 1])):
        yield row


async def _batches(rows: AsyncIterator[JobRow], at: datetime) -> AsyncIterator[list[JobRow]]:
    some = list[JobRow]()
    async for row in rows:
        some += [row] if row.enqueued is None or row.enqueued <= at else []
        if len(some) == BATCH:
            yield some
            some = []
    yield some


async def _looked_at(connection: JobsRedis, made: Plan, rows: Sequence[JobRow]) -> list[tuple[str, str]]:
    """Of each row the job that it is done to, or '', and why the row itself is left out, or ''."""
    key, facts = connection.key, list[Sequence[object]]([()] * len(rows))
    if made.action == "retry":
        async with connection.pipeline(transaction=False) as pipe:
            for row in rows:
                new_id, flow = next_id(row.id), row.parent or row.id
                pipe.exists(key.JOB + new_id, key.RESULT + new_id, key.RECORD + new_id)
                pipe.exists(key.TREE + flow)
                pipe.hget(key.RECORD + flow, "state")
                pipe.getrange(key.RESULT + row.id, 0, 1_023)
            facts = [*chunked(await pipe.execute(), 4)]
    return [_fitting(made, row, *of_row) for row, of_row in zip(rows, facts, strict=True)]


def _fitting(
    made: Plan, row: JobRow, again: object = 0, tree: object = 0, state: object = b"", call: object = b""
) -> tuple[str, str]:
    if row.task == TASK:
        return "", "runs like this one"
    if row.state not in FITS[made.action]:
        return "", row.state
    if made.action != "retry":
        there = made.action == "move" and row.queue == made.queue
        return ("", "there already") if there else (row.id, "")
    if row.parent:
        goes_on = tree and state in (b"FAILURE", b"REVOKED")
        return (row.parent, "members of workflows, which go on") if goes_on else ("", "members of workflows")
    if row.kind == "workflow":
        return (row.id, "") if tree else ("", "arguments not kept")
    if again:
        return "", "run again already"
    return (row.id, "") if call and not encoding.loads_cut(call).get("cut") else ("", "arguments not kept")  # type: ignore[arg-type]


def _error_type(row: JobRow) -> str:
    found = re.match(r"[\w.]*", row.error) if row.state in ("FAILURE", "RETRY") else None
    return found[0] if found else ""
