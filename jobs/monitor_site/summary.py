"""The whole at a glance."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..client.connection import JobsRedis
from ..store.store import now
from .forecasting import Forecast, forecasts, held_by_limits
from .model.audit_log import AuditEntry
from .model.counters import Count
from .model.queue_list import MAX_READ, QueueInfo, queues, together
from .model.worker_list import WorkerInfo, online
from .ranges import PATIENCE_S, Interval, history, summed
from .stuck import LongRun, LostWorker, long_runs, lost_workers, usual_s


@dataclass(frozen=True)
class Unknown:
    """Waiting jobs of a task that no worker of their queue knows: the *count* is of the latest jobs of the queue."""

    queue: str
    task: str
    count: int
    is_all: bool  # False: there may be more.


@dataclass(frozen=True)
class Overview:
    """Figures of one moment and of the last hour, each read once: rows add up to their sums, and so do minutes."""

    workers: int
    quiet: int  # Those of them that claim nothing.
    rows: tuple[QueueInfo, ...]
    queues: QueueInfo  # All of them together.
    held: int  # Jobs that a limit holds: they are among the scheduled ones.
    slots: int
    busy: int  # Slots in use, as workers reported: a few seconds old.
    paused: dict[str, AuditEntry | None]  # Each paused queue, with who did it and when, if the audit tells.
    unserved: tuple[QueueInfo, ...]
    """Queues with due jobs, or with jobs of dead workers, that no worker claims: none is online, or only quiet ones."""
    unknown: tuple[Unknown, ...]
    since: datetime  # When the last hour begins: at a whole minute.
    last_hour: Count
    minutes: tuple[Interval, ...]
    """The last one goes on: of it are the figures up to now, and what is due now."""
    per_s: float  # Jobs that ended in the last minute, a second.
    forecasts: tuple[Forecast, ...]  # Of each of the rows that is one queue.
    long_runs: tuple[LongRun, ...]
    lost: tuple[LostWorker, ...]


async def overview(connection: JobsRedis) -> Overview:
    """Figures for the first page, in a few milliseconds however many jobs there are."""
    began, workers = time.monotonic(), await online(connection)
    rows = await queues(connection, workers)
    whole, found = together(rows, len(rows)), await history(connection, patience_s=math.inf)
    found[-1] = replace(found[-1], due=whole.due, oldest_due_s=whole.oldest_due_s)
    held = await held_by_limits(connection)
    by_queue = await forecasts(connection, workers, rows, found, held)
    usual = await usual_s(connection, PATIENCE_S - (time.monotonic() - began))
    paused = {one.queue.name: one.paused_by for one in by_queue if one.queue.paused}
    return Overview(
        workers=len(workers),
        quiet=sum(worker.quiet for worker in workers),
        rows=tuple(rows),
        queues=whole,
        held=sum(held.values()),
        slots=sum(worker.max_jobs for worker in workers),
        busy=sum(worker.busy for worker in workers),
        paused=paused,
        unserved=tuple(_unserved(rows, workers)),
        unknown=tuple(unknown_tasks(rows, workers)),
        since=found[0].at,
        last_hour=summed(minute.count for minute in found),
        minutes=tuple(found),
        per_s=_per_s(found, await now(connection)),
        forecasts=tuple(by_queue),
        long_runs=tuple(await long_runs(connection, usual=usual)),
        lost=tuple(await lost_workers(connection)),
    )


def _per_s(found: Sequence[Interval], now: datetime) -> float:
    """Of a minute that ends now: all of this one, and of the one before the part that does not lie further back."""
    this, before = found[-1], found[-2]
    part = 1 - min(max((now - this.at).total_seconds() / 60, 0), 1)
    counts = [minute.count or Count() for minute in (this, before)]
    ended = [sum(count.states[state] for state in ("SUCCESS", "FAILURE", "REVOKED")) for count in counts]
    return (ended[0] + ended[1] * part) / 60


def _unserved(rows: Iterable[QueueInfo], workers: Sequence[WorkerInfo]) -> Iterator[QueueInfo]:
    claiming = {worker.name for worker in workers if not worker.quiet}
    for row in rows:
        if row.name and (row.due or row.lapsed) and not row.paused and claiming.isdisjoint(row.workers):
            yield row


def unknown_tasks(rows: Iterable[QueueInfo], workers: Sequence[WorkerInfo]) -> Iterator[Unknown]:
    for row in rows:
        serving = [worker for worker in workers if worker.name in row.workers and not worker.quiet]
        known = {task for worker in serving for task in worker.tasks}
        is_all = sum(row.tasks.values()) < MAX_READ
        for task, n in row.tasks.items() if serving else ():
            if task not in known:
                yield Unknown(row.name, task, n, is_all)
