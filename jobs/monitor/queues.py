"""The queues: how much waits in each, for how long, and who serves it."""

from __future__ import annotations

from dataclasses import dataclass

from jobs import keys
from jobs.clock import now_ms
from jobs.connection import JobsRedis
from jobs.monitor.places import queue_names
from jobs.workers import WorkerInfo, online


@dataclass(frozen=True)
class QueueInfo:
    """A queue. `workers`: names of those online that serve it, quiet ones too."""

    name: str
    due: int
    scheduled: int
    """Those that come later, by their time or for a retry; those that a limit holds back; workflows that wait."""
    running: int
    oldest_due_s: float
    """How long the oldest due job has been due; 0 if none is."""
    paused: bool
    workers: tuple[str, ...]

    @property
    def is_of_interest(self) -> bool:
        """One that is empty, and that nobody serves, is history."""
        return bool(self.due + self.scheduled + self.running + self.paused) or self.workers != ()


async def queues(connection: JobsRedis) -> list[QueueInfo]:
    """Every queue that holds something, is paused or is served by a worker, by name."""
    return await queues_served_by(connection, await online(connection))


async def queues_served_by(connection: JobsRedis, workers: list[WorkerInfo]) -> list[QueueInfo]:
    """The same, with the workers that are known already."""
    now = await now_ms(connection)
    served = {queue for worker in workers for queue in worker.queues}
    names = sorted({*await queue_names(connection), *served})
    async with connection.pipeline(transaction=False) as pipe:
        for name in names:
            key = keys.queue_key(name)
            pipe.zcount(key, "-inf", now)
            pipe.zcard(key)
            pipe.zcard(keys.LEASES + name)
            pipe.zrange(key, 0, 0, withscores=True)
            pipe.sismember(keys.PAUSED, name)
        told = await pipe.execute()
    infos = [
        _info(name, now, workers, *told[first : first + 5])
        for name, first in zip(names, range(0, len(told), 5), strict=True)
    ]
    return [info for info in infos if info.is_of_interest]


def _info(
    name: str,
    now: int,
    workers: list[WorkerInfo],
    due: int,
    size: int,
    running: int,
    head: list[tuple[bytes, float]],
    paused: int,
) -> QueueInfo:
    return QueueInfo(
        name=name,
        due=due,
        scheduled=max(size - due - running, 0),
        running=running,
        oldest_due_s=max(now - head[0][1], 0) / 1000 if head else 0.0,
        paused=bool(paused),
        workers=tuple(worker.name for worker in workers if name in worker.queues),
    )
