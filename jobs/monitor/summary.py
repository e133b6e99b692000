"""The whole at a glance."""

from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..store.store import now_ms
from .counters import Count, last_minutes
from .queue_list import queues, together
from .worker_list import online


@dataclass(frozen=True)
class Overview:
    """Figures of this moment, and of the last hour."""

    workers: int
    quiet: int
    """Those of them that claim nothing."""
    running: int
    """Jobs that run, or wait for others."""
    slots: int
    busy: int
    """Slots in use, a few seconds old."""
    due: int
    scheduled: int
    oldest_due_s: float
    """0 if nothing is due."""
    paused: tuple[str, ...]
    """Queues."""
    unserved: tuple[str, ...]
    """Queues with due jobs that no worker claims: none is online for them, or only quiet ones."""
    succeeded_last_hour: int
    failed_last_hour: int
    retried_last_hour: int
    per_s: float
    """Jobs that ended in the last minute, a second."""


async def overview(connection: JobsRedis) -> Overview:
    """Figures for the first page, in a few milliseconds however many jobs there are."""
    workers = await online(connection)
    rows = await queues(connection, workers)
    every = together(rows, len(rows))
    claiming = {worker.name for worker in workers if not worker.quiet}
    hour = (await last_minutes(connection)).get("", Count())
    return Overview(
        workers=len(workers),
        quiet=sum(worker.quiet for worker in workers),
        running=every.running,
        slots=sum(worker.max_jobs for worker in workers),
        busy=sum(worker.busy for worker in workers),
        due=every.due,
        scheduled=every.scheduled,
        oldest_due_s=every.oldest_due_s,
        paused=tuple(row.name for row in rows if row.paused),
        unserved=tuple(
            row.name for row in rows if row.due and row.name and not row.paused and claiming.isdisjoint(row.workers)
        ),
        succeeded_last_hour=hour.states["SUCCESS"],
        failed_last_hour=hour.states["FAILURE"],
        retried_last_hour=hour.states["RETRY"],
        # from the history, not from the minutes: it does not begin at zero with each of them
        per_s=float(await connection.zcount(connection.key.HISTORY, await now_ms(connection) - 60_000, "+inf")) / 60,
    )
