"""Finds jobs, page by page along an index; nothing looks at all of them."""

import base64
import json
import math
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from glob import escape
from typing import Generic, TypeVar

from ...client.connection import JobsRedis
from ...client.result import Result
from ...errors import WrongValue
from ...store.store import now
from ...store.stored_values import chunked, moment
from ...tasks.declarations import known_tasks
from .job_row import SHOWN, START, JobRow, Step, row_of_result, step_along
from .search_indexes import SearchIndex, ids_running, indexes_for
from .wanted import MEASURES, STATES, Needle, Wanted
from .worker_list import with_reasons

Row = TypeVar("Row")
RECORDS_PER_STEP = 250  # How many records one script looks at, so that it keeps Redis for a few milliseconds only.
MAX_RUNNING = SORTED = 1_000  # Matches that a sort looks at.
AT_ONCE = 20  # How many indexes are looked at whatever time it is, of those that end within a step: those of queues do.
PATIENCE_S = 0.04  # A page that takes longer ends as it is, and reports how far it came.


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list. `next` is the cursor of the page after this one; '' if there is no more.

    `looked_back_to`, of jobs: the time of the last one that was looked at, if there are more: its end, or its due time.
    `sorted_of`: how many matches were sorted, if an index alone could not: of more if it says how far it looked.
    """

    rows: list[Row]
    next: str = ""
    looked_back_to: datetime | None = None
    sorted_of: int = 0


async def find(
    connection: JobsRedis,
    wanted: Wanted | None = None,
    *,
    state: str = "",
    task: str = "",
    worker: str = "",
    queue: str = "",
    text: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    workflows: bool = False,
    cursor: str = "",
    limit: int = 50,
    patience_s: float = PATIENCE_S,
) -> Page[JobRow]:
    """Jobs that fit, at most *limit*: those that run, then due ones, ended ones (the newest first), and later ones.

    What is *wanted*, or: *state*, one of STATES; *since* and *until*, of the end of ended jobs, the start of running
    ones, and the due time of others. *workflows*: only these, those called last first, and *since* and *until* are of
    their calls. *text* is found in upper or lower case: in ids, names, errors, and in arguments that are no secrets, as
    they are shown, in the first 64 KB of a call (of an ended member of a workflow: if it is not longer); an exact id is
    found at once. A sort by one of MEASURES is of the first SORTED matches. WrongValue: no such state or cursor.
    """
    if state and state.lower() not in STATES:
        raise WrongValue(f"state={state!r:.80}: it is one of {', '.join(STATES)}")
    names = {name: [escape(one)] for name, one in (("task", task), ("worker", worker), ("queue", queue)) if one}
    states, text = [state.lower()] if state else [], text.strip()
    wanted = wanted or Wanted(
        await now(connection), states, names, [Needle(text)] if text else [], (), (), since, until, "", text, workflows
    )
    measure, found, back_to, behind = MEASURES.get(wanted.sort), dict[str, JobRow](), None, ""
    most = SORTED if measure else limit
    async for step, behind in steps(connection, wanted, cursor, lambda: most - len(found), patience_s):
        found.update((row.id, row) for row in step.rows if row.id not in found)
        last = step.rows[-1].due if step.rows and step.rows[-1].hold.endswith("-limit") else moment(step.last)
        back_to = (last or back_to) if behind else None
    rows = list(found.values())
    if measure:
        rows.sort(key=lambda row: measure(row, wanted.at) or 0, reverse=True)
    rows = await with_reasons(connection, rows[:limit])
    return Page(rows, "" if measure else behind, back_to, len(found) if measure else 0)


async def matching(connection: JobsRedis, wanted: Wanted) -> AsyncIterator[JobRow]:
    """All jobs that fit, in bounded steps, without `args` and `reason`. One that moves meanwhile may come twice."""
    before = set[str]()
    async for step, _ in steps(connection, wanted, call_bytes=0):
        for row in step.rows:
            if row.id not in before:
                yield row
        before = {row.id for row in step.rows}


async def steps(
    connection: JobsRedis,
    wanted: Wanted,
    cursor: str = "",
    room: Callable[[], int] = lambda: RECORDS_PER_STEP,
    patience_s: float = math.inf,
    call_bytes: int = SHOWN,
) -> AsyncGenerator[tuple[Step, str], None]:
    """Steps along all indexes, and the cursor of what comes behind each, or '', while there is *room* for rows, and
    until a step ends after this time; see AT_ONCE too."""
    name, step = _read_cursor(cursor)
    exact = await row_of(connection, wanted.job_id) if wanted.job_id and not cursor else None
    if exact and (not wanted.workflows or exact.kind == "workflow"):
        yield replace(START, rows=[exact]), ""
        return
    known, began, indexes = await known_tasks(connection), time.monotonic(), await indexes_for(connection, wanted)
    names = [index.name for index in indexes]
    number = names.index(name) if name in names else 0
    look_at = RECORDS_PER_STEP // max(len(wanted.texts) + len(wanted.arguments), 1)
    while number < len(indexes) and room() > 0:
        index = indexes[number]
        ids = [one for one in await ids_running(connection) if one > step.last_id] if index.how == "these" else []
        at_once = min(room(), look_at)
        ids, more = ids[:at_once], len(ids) > at_once
        step = await step_along(connection, known, index, step, look_at, room(), wanted, ids, call_bytes)
        if index.how == "these":
            step = replace(step, last_id=ids[-1] if ids else "", at_end=not more)
        number += step.at_end
        behind = START if step.at_end else step
        yield step, _cursor(names[number], behind) if number < len(indexes) else ""
        if (number % AT_ONCE == 0 or not step.at_end) and time.monotonic() - began > patience_s:
            return
        step = behind


async def row_of(connection: JobsRedis, job_id: str) -> JobRow | None:
    """The job of this id, also one of which only the result is left; None if there is none."""
    if rows := await rows_of(connection, [job_id]):
        return rows[0]
    stored = await connection.get(connection.key.RESULT + job_id)
    if not stored:
        return None
    state = await Result(job_id, connection).state()
    row = row_of_result(connection, await known_tasks(connection), job_id, state, stored)
    return row and replace(row, reason="ended")


async def rows_of(connection: JobsRedis, ids: list[str]) -> list[JobRow]:
    """The jobs of these ids that there are, in this order."""
    known = await known_tasks(connection)
    index, parts = SearchIndex("", "these"), chunked(ids, RECORDS_PER_STEP)
    rows = [row for some in parts for row in (await step_along(connection, known, index, ids=some)).rows]
    return await with_reasons(connection, rows)


async def running(connection: JobsRedis, worker: str) -> list[JobRow]:
    """The jobs that a worker holds, those that run longest first. Of more than MAX_RUNNING, the first by their ids."""
    ids = await ids_running(connection, worker)
    rows = [row for row in await rows_of(connection, ids[:MAX_RUNNING]) if row.state == "STARTED"]
    return sorted(rows, key=lambda row: (row.started is None, row.started))


_SCORE = re.compile(r"|-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?|[+-]?inf")


def _cursor(index: str, step: Step) -> str:
    return base64.urlsafe_b64encode(json.dumps([index, step.last, step.last_id]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[str, Step]:
    if not cursor:
        return "", START
    try:
        name, last, last_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not all(isinstance(word, str) for word in (name, last, last_id)) or not _SCORE.fullmatch(last):
            raise ValueError(cursor)
    except (ValueError, TypeError):  # binascii's error is a ValueError too
        raise WrongValue(f"cursor={cursor!r:.80}: take it from the page before") from None
    return name, Step(last, last_id, False, [])
