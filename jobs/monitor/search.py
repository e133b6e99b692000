"""Finds jobs, page by page along an index; nothing looks at all of them."""

import base64
import json
import re
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from ..client.connection import JobsRedis
from ..client.result import Result
from ..store.stored_values import chunked, moment
from ..tasks.declarations import KnownTasks, known_tasks
from .job_row import START, JobRow, Step, row_of_result, step_along
from .search_indexes import SearchIndex, Wanted, ids_running, indexes_for
from .search_text import Needle
from .states import with_reasons

Row = TypeVar("Row")
RECORDS_PER_STEP = 250  # How many records one script looks at, so that it keeps Redis for a few milliseconds only.
MAX_RUNNING = 1_000
PATIENCE_S = 0.04  # A page that takes longer ends as it is, and reports how far it came.


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list. `next` is the cursor of the page after this one; '' if there is no more.

    `looked_back_to`, of jobs: the time of the last one that was looked at, if there are more: its end, or its due time.
    """

    rows: list[Row]
    next: str = ""
    looked_back_to: datetime | None = None


async def find(
    connection: JobsRedis,
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
) -> Page[JobRow]:
    """Jobs that fit, at most *limit*: those that run, then due ones, ended ones (the newest first), and later ones.

    *state*: a state, or waiting (due), scheduled (later), ended; '' is all. *since* and *until* are of the end of
    ended jobs, and of the due time of others. *workflows*: only these, those called last first, and *since* and *until*
    are of their calls. *text* is found in upper or lower case: in ids, names, errors, and in arguments that are no
    secrets (a number, a UUID or a time too, as it is usually written), in the first 64 KB of a call (of an ended
    member of a workflow: if it is not longer); an exact id is found at once. ValueError: no such state or cursor.
    """
    wanted = Wanted(state, task, worker, queue, Needle(text.strip()), since, until, workflows)
    known = await known_tasks(connection)
    exact = await row_of(connection, wanted.needle.typed) if wanted.needle.typed and not cursor else None
    if exact and (not workflows or exact.kind == "workflow"):
        return Page([exact])
    name, step = _read_cursor(cursor)
    began, indexes = time.monotonic(), await indexes_for(connection, wanted)
    names = [index.name for index in indexes]
    number = names.index(name) if name in names else 0
    found, back_to = dict[str, JobRow](), None
    while number < len(indexes):
        step = await _step(connection, known, wanted, indexes[number], step, limit - len(found))
        found |= {row.id: row for row in step.rows if row.id not in found}
        back_to = moment(step.last) or back_to
        if step.at_end:
            number, step = number + 1, START
        if len(found) >= limit or time.monotonic() - began > PATIENCE_S:
            break
    rows = await with_reasons(connection, list(found.values()))
    return Page(rows, _cursor(names[number], step), back_to) if number < len(indexes) else Page(rows)


async def _step(
    connection: JobsRedis, known: KnownTasks, wanted: Wanted, index: SearchIndex, after: Step, room: int
) -> Step:
    if index.how != "these":
        return await step_along(connection, known, index, after, RECORDS_PER_STEP, room, wanted)
    ids = [job_id for job_id in await ids_running(connection, wanted.worker) if job_id > after.last_id][:room]
    step = await step_along(connection, known, index, wanted=wanted, ids=ids)
    return replace(step, last_id=ids[-1] if ids else "", at_end=len(ids) < room)


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
        raise ValueError(f"cursor={cursor!r:.80}: take it from the page before") from None
    return name, Step(last, last_id, False, [])
