"""The tasks: which workers know them, their limits, and their outcomes in the last hour."""

from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..store.stored_values import texts, whole
from ..tasks.declarations import known_tasks
from ..tasks.rate_limit import rate_text
from .counters import Count, last_minutes
from .worker_list import online


@dataclass(frozen=True)
class TaskInfo:
    """A task that a worker has declared, or that ran in the last hour."""

    name: str
    workers: int  # Online ones that know it.
    declared: bool  # By a worker, now or ever; else it is only a name that a caller gave.
    queue: str
    rate_limit: str  # `10/s`, `5/m`; '' for none.
    overridden: bool  # An operator has set the rate: it counts instead of the declared one.
    max_concurrency: int | None
    last_hour: Count


async def tasks(connection: JobsRedis) -> list[TaskInfo]:
    """Every task that a worker ever declared or that ran in the last hour, by name."""
    workers = await online(connection)
    known = await known_tasks(connection)
    counts = await last_minutes(connection)
    limits = texts(await connection.hgetall(connection.key.LIMITS))  # type: ignore[misc]
    found: list[TaskInfo] = []
    for name in sorted({*known, *filter(None, counts)}):
        override = limits.get(f"{name}|override")
        info = TaskInfo(
            name=name,
            workers=sum(name in worker.tasks for worker in workers),
            declared=name in known,
            queue=known[name].queue if name in known else "",
            rate_limit=rate_text(limits[f"{name}|rate"] if override is None else override),
            overridden=override is not None,
            max_concurrency=whole(limits[f"{name}|holders"]) or None,
            last_hour=counts.get(name, Count()),
        )
        found.append(info)
    return found
