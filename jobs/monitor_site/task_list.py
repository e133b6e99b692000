"""The tasks: which workers know them, their limits, and what they did in some time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..monitor.counters import Count
from ..monitor.worker_list import online
from ..store.store import now_ms
from ..store.stored_values import texts, whole
from ..tasks.declarations import known_tasks
from ..tasks.rate_limit import rate_text
from .ranges import counts_between


@dataclass(frozen=True)
class TaskInfo:
    """A task that a worker has declared, or that ran in the time that was asked for."""

    name: str
    workers: int  # Online ones that know it.
    declared: bool  # By a worker, now or ever; else it is only a name that a caller gave.
    queue: str
    rate_limit: str  # `10/s`, `5/m`; '' for none.
    overridden: bool  # An operator has set the rate: it counts instead of the declared one.
    max_concurrency: int | None
    count: Count
    run_s: float  # How long its attempts ran, all together.
    share: float | None  # Of the time that all tasks together ran; None: nothing ran.


SORTS: dict[str, Callable[[TaskInfo], float]] = {
    "time": lambda info: info.run_s,
    "p50": lambda info: info.count.percentile("run", 50) or 0,
    "p95": lambda info: info.count.percentile("run", 95) or 0,
    "wait": lambda info: info.count.percentile("wait", 95) or 0,
    "jobs": lambda info: info.count.states["SUCCESS"] + info.count.states["FAILURE"],
    "failures": lambda info: info.count.states["FAILURE"],
    "failure-rate": lambda info: info.count.failure_share or 0,
    "retries": lambda info: info.count.states["RETRY"],
}
"""By what tasks can be sorted besides `name`: the most first."""


async def tasks(connection: JobsRedis, minutes: int = 60, sort: str = "name") -> list[TaskInfo]:
    """Every task that a worker ever declared, or that ran in this minute and those before it, *minutes* in all.
    KeyError for a *sort* that is not in SORTS."""
    this = await now_ms(connection) // 60_000
    workers, known = await online(connection), await known_tasks(connection)
    counts = await counts_between(connection, this - minutes + 1, this)
    limits = texts(await connection.hgetall(connection.key.LIMITS))  # type: ignore[misc]
    all_ms = counts[""].ms["run"] if "" in counts else 0
    found: list[TaskInfo] = []
    for name in sorted({*known, *filter(None, counts)}):
        override, count = limits.get(f"{name}|override"), counts.get(name) or Count()
        info = TaskInfo(
            name=name,
            workers=sum(name in worker.tasks for worker in workers),
            declared=name in known,
            queue=known[name].queue if name in known else "",
            rate_limit=rate_text(limits[f"{name}|rate"] if override is None else override),
            overridden=override is not None,
            max_concurrency=whole(limits[f"{name}|holders"]) or None,
            count=count,
            run_s=count.ms["run"] / 1000,
            share=count.ms["run"] / all_ms if all_ms else None,
        )
        found.append(info)
    return sorted_tasks(found, sort)


def sorted_tasks(infos: Iterable[TaskInfo], sort: str) -> list[TaskInfo]:
    """By name, or by something of which the most comes first."""
    by_name = sorted(infos, key=lambda info: info.name)
    return by_name if sort == "name" else sorted(by_name, key=SORTS[sort], reverse=True)
