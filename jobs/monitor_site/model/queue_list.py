"""The queues: how much waits in each, for how long, and who serves it; what waits there, read page by page, and how
much of it a purge would end."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from ...client.connection import JobsRedis
from ...store.store import now, now_ms
from ...store.stored_values import chunked, text
from ...values.calls import awaited
from .job_row import START, JobRow, step_along
from .search import rows_of
from .search_indexes import SearchIndex, queue_names
from .worker_list import WorkerInfo, online

MAX_LISTED = 200
"""Unserved queues that are listed one by one, the fullest first. Bounded, because callers can invent names."""
MAX_READ = 200
MAX_COUNTED = 2_000  # Such queues that are looked at, in the order of their names.


@dataclass(frozen=True)
class QueueInfo:
    """A queue. `workers`: names of those online that serve it, quiet ones too."""

    name: str  # '' for all that are not listed one by one: see `others`.
    due: int
    scheduled: int
    """Those that come later, by their time or for a retry; those that a limit holds back; workflows that wait."""
    running: int
    oldest_due_s: float  # How long the oldest due job has been due; 0 if none is.
    paused: bool = False
    workers: tuple[str, ...] = ()
    others: int = 0  # How many queues this row sums up; 0: it is one queue.
    lapsed: int = 0  # Of those that run: jobs whose worker is gone, until another takes them over.
    tasks: Mapping[str, int] = field(default_factory=dict)
    """How many of the latest MAX_READ jobs that are due, or put back for a moment, are of each task."""

    @property
    def is_of_interest(self) -> bool:
        """Does it hold something, is it paused, or does a worker serve it?"""
        return bool(self.size or self.paused or self.workers)

    @property
    def size(self) -> int:
        return self.due + self.scheduled + self.running


async def queues(connection: JobsRedis, workers: list[WorkerInfo] | None = None) -> list[QueueInfo]:
    """Every queue that a worker serves, and MAX_LISTED others that hold something or are paused, by name.

    The last row, with the name '', sums up the rest, as far as they were counted. *workers*: if they are known already.
    """
    workers = await online(connection) if workers is None else workers
    served = {queue for worker in workers for queue in worker.queues}
    paused = {text(name) for name in await connection.smembers(connection.key.PAUSED)}  # type: ignore[misc]
    others = sorted({*await queue_names(connection), *paused} - served)
    looked_at = await _look(connection, [*sorted(served), *others[:MAX_COUNTED]], workers)
    unserved = [info for info in looked_at if info.name not in served and info.is_of_interest]
    full = sorted(unserved, key=lambda info: (-info.size, info.name))
    listed = [*(info for info in looked_at if info.name in served), *full[:MAX_LISTED]]
    listed.sort(key=lambda info: info.name)
    rest, unseen = full[MAX_LISTED:], max(len(others) - MAX_COUNTED, 0)
    return [*listed, together(rest, len(rest) + unseen)] if rest or unseen else listed


async def queues_named(connection: JobsRedis, names: Iterable[str]) -> list[QueueInfo]:
    """These queues, whether they hold something or not."""
    return await _look(connection, list(dict.fromkeys(names)), await online(connection))


async def _look(connection: JobsRedis, names: list[str], workers: list[WorkerInfo]) -> list[QueueInfo]:
    infos: list[QueueInfo] = []
    for some in chunked(names):
        rows = await connection.run_script("queues", MAX_READ, *some)
        for name, (due, size, running, lapsed, oldest_ms, paused, counted) in zip(some, rows, strict=True):
            serving = tuple(worker.name for worker in workers if name in worker.queues)
            counts = due, max(size - due - running, 0), running
            tasks = dict(zip(map(text, counted[::2]), counted[1::2], strict=True))
            infos.append(QueueInfo(name, *counts, float(oldest_ms) / 1000, bool(paused), serving, 0, lapsed, tasks))
    return infos


def together(infos: list[QueueInfo], others: int) -> QueueInfo:
    return QueueInfo(
        name="",
        due=sum(info.due for info in infos),
        scheduled=sum(info.scheduled for info in infos),
        running=sum(info.running for info in infos),
        oldest_due_s=max((info.oldest_due_s for info in infos), default=0.0),
        others=others,
        lapsed=sum(info.lapsed for info in infos),
    )


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
    scheduled: int
    """Jobs with a later time, retries, workflows and their members. Not those with steps: they have begun."""


@awaited
async def purgeable(connection: JobsRedis, queues: Iterable[str]) -> Purge:
    """What waits in these queues now."""
    at, due, scheduled = await now(connection), 0, 0
    for queue in queues:
        async for row in waiting(connection, queue, "all"):
            plain = is_plain(row, at)
            due, scheduled = due + plain, scheduled + (not plain and row.kind != "steps")
    return Purge(at, due, scheduled)


def is_plain(row: JobRow, at: datetime) -> bool:
    """Is it a call that was due then, and no part of anything? A purge ends those without being asked for more."""
    return row.due is not None and row.due <= at and not row.kind
