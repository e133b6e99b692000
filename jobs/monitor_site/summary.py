"""The whole at a glance."""

from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..monitor.counters import Count, last_minutes
from ..monitor.queue_list import QueueInfo, queues, together
from ..monitor.worker_list import online
from ..store.store import now_ms


@dataclass(frozen=True)
class Overview:
    """Figures of this moment, and of the last hour."""

    workers: int
    quiet: int  # Those of them that claim nothing.
    queues: QueueInfo  # All of them together.
    slots: int
    busy: int  # Slots in use, a few seconds old.
    paused: tuple[str, ...]  # Queues.
    unserved: tuple[str, ...]
    """Queues with due jobs that no worker claims: none is online for them, or only quiet ones."""
    last_hour: Count
    per_s: float  # Jobs that ended in the last minute, a second.


async def overview(connection: JobsRedis) -> Overview:
    """Figures for the first page, in a few milliseconds however many jobs there are."""
    workers = await online(connection)
    rows = await queues(connection, workers)
    claiming = {worker.name for worker in workers if not worker.quiet}
    return Overview(
        workers=len(workers),
        quiet=sum(worker.quiet for worker in workers),
        queues=together(rows, len(rows)),
        slots=sum(worker.max_jobs for worker in workers),
        busy=sum(worker.busy for worker in workers),
        paused=tuple(row.name for row in rows if row.paused),
        unserved=tuple(
            row.name for row in rows if row.due and row.name and not row.paused and claiming.isdisjoint(row.workers)
        ),
        last_hour=(await last_minutes(connection)).get("", Count()),
        # from the history, not from the minutes: it does not begin at zero with each of them
        per_s=float(await connection.zcount(connection.key.HISTORY, await now_ms(connection) - 60_000, "+inf")) / 60,
    )
