"""What waits in a queue, read page by page, and how much of it a purge would end."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from ..client.connection import JobsRedis
from ..store.store import now, now_ms
from ..store.stored_values import text
from ..values.calls import awaited
from .job_row import START, JobRow, step_along
from .search import rows_of
from .search_indexes import SearchIndex

READ_AT_ONCE = 500


async def waiting(connection: JobsRedis, queue: str, which: Literal["due", "later", "all"]) -> AsyncIterator[JobRow]:
    """The waiting jobs of a queue by their `due`, which is never None. Their arguments and errors are not read."""
    ms = await now_ms(connection)
    between = f"({ms}" if which == "later" else "-inf", str(ms) if which == "due" else "+inf"
    index = SearchIndex("", "waiting", "", connection.key.queue_key(queue), between)
    step, seen = START, set[str]()
    while not step.at_end:
        before, step = step, await step_along(connection, {}, index, step, READ_AT_ONCE, READ_AT_ONCE)
        for row in (row for row in step.rows if row.id not in seen):
            yield row if row.queue == queue else replace(row, queue=queue)
        page = {row.id for row in step.rows}
        seen = seen | page if step.last == before.last else page


async def lapsed(connection: JobsRedis, queue: str, most: int) -> list[JobRow]:
    """Jobs of dead workers, still STARTED, that wait until a worker takes them over: the next ones, in that order."""
    at = await now_ms(connection)
    ids = await connection.zrangebyscore(connection.key.LEASES + queue, "-inf", at, start=0, num=most)
    rows = await rows_of(connection, list(map(text, ids)))
    return [replace(row, due=row.due or row.started) for row in rows if row.state == "STARTED"]


@dataclass(frozen=True)
class Purge:
    """How many jobs waited at a moment: plain due ones, and those that a purge ends only if it is asked to."""

    at: datetime
    due: int
    scheduled: int  # Jobs with a later time, retries, workflows and their members.


@awaited
async def purgeable(connection: JobsRedis, queues: Iterable[str]) -> Purge:
    """What waits in these queues now."""
    at, due, scheduled = await now(connection), 0, 0
    for queue in queues:
        async for row in waiting(connection, queue, "all"):
            plain = is_plain(row, at)
            due, scheduled = due + plain, scheduled + (not plain)
    return Purge(at, due, scheduled)


def is_plain(row: JobRow, at: datetime) -> bool:
    """Is it a call that was due then, and no part of anything? A purge ends those without being asked for more."""
    return row.due is not None and row.due <= at and not row.kind
