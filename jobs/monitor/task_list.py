"""The tasks: which workers know them, their limits, and their outcomes in the last hour."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..client.connection import JobsRedis
from ..store.stored_values import texts, whole
from ..tasks.declarations import known_tasks
from ..tasks.rate_limit import rate_text
from .counters import Count, last_minutes
from .worker_list import online


@dataclass(frozen=True)
class TaskInfo:
    """A task that a worker has declared, or that ran in the last hour. Times are in seconds, of its last hour."""

    name: str
    workers: int
    """Online ones that know it."""
    declared: bool
    """By a worker, now or ever; else it is only a name that a caller gave."""
    queue: str
    rate_limit: str
    """`10/s`, `5/m`; '' for none."""
    overridden: bool
    """An operator has set the rate: it counts instead of the declared one."""
    max_concurrency: int | None
    states: Mapping[str, int] = field(default_factory=dict)
    """How many attempts came to SUCCESS, FAILURE, RETRY, REVOKED in the last hour."""
    failure_share: float | None = None
    run_p50: float | None = None
    run_p95: float | None = None
    wait_p50: float | None = None
    wait_p95: float | None = None


async def tasks(connection: JobsRedis) -> list[TaskInfo]:
    """Every task that a worker ever declared or that ran in the last hour, by name."""
    workers = await online(connection)
    known = await known_tasks(connection)
    counts = await last_minutes(connection)
    limits = texts(await connection.hgetall(connection.key.LIMITS))  # type: ignore[misc]
    found: list[TaskInfo] = []
    for name in sorted({*known, *filter(None, counts)}):
        count, override = counts.get(name, Count()), limits.get(f"{name}|override")
        info = TaskInfo(
            name=name,
            workers=sum(name in worker.tasks for worker in workers),
            declared=name in known,
            queue=known[name].queue if name in known else "",
            rate_limit=rate_text(limits[f"{name}|rate"] if override is None else override),
            overridden=override is not None,
            max_concurrency=whole(limits[f"{name}|holders"]) or None,
            states=dict(count.states),
            failure_share=count.failure_share,
            **count.percentiles(),
        )
        found.append(info)
    return found
