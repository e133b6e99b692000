"""The tasks: which workers know them, their limits, and what they did in some time."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..client.submit import WORKFLOW_TASKS
from ..store.stored_values import texts, whole
from ..tasks.declarations import known_tasks
from .estimates import about_text
from .model.counters import Count
from .model.limits import rate_text
from .model.worker_list import online
from .ranges import last_minutes


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
    p50_s: float | None
    """Of how long its attempts ran, and the next too; None: none did, or it is that of workflows: their steps run."""
    p95_s: float | None
    wait_p95_s: float | None  # Of how long jobs waited from when they were due to their start.
    failure_share: float | None
    run_s: float  # How long its attempts ran, all together.
    share: float | None  # Of the time that all tasks together ran; None: nothing ran.

    @property
    def line(self) -> str:
        """All of it, for the command line."""
        ended, times = self.count.states, "-"
        if self.p50_s is not None and self.p95_s is not None:
            times = f"p50 {about_text(self.p50_s)}, p95 {about_text(self.p95_s)}"
        share = "-" if self.share is None else f"{self.share:.0%}"
        return f"{self.name}: {ended['SUCCESS']:,} succeeded, {ended['FAILURE']:,} failed, {times}, {share} of run time"


SORTS: dict[str, Callable[[TaskInfo], float]] = {
    "time": lambda info: info.run_s,
    "p50": lambda info: info.p50_s or 0,
    "p95": lambda info: info.p95_s or 0,
    "wait": lambda info: info.wait_p95_s or 0,
    "jobs": lambda info: info.count.states["SUCCESS"] + info.count.states["FAILURE"],
    "failures": lambda info: info.count.states["FAILURE"],
    "failure-rate": lambda info: info.failure_share or 0,
    "retries": lambda info: info.count.states["RETRY"],
}
"""By what tasks can be sorted besides `name`: the most first."""


async def tasks(connection: JobsRedis, minutes: int = 60, sort: str = "name") -> list[TaskInfo]:
    """Every task that a worker ever declared, or that ran in this minute and those before it, *minutes* in all.
    KeyError for a *sort* that is not in SORTS."""
    return await tasks_with(connection, (await last_minutes(connection, minutes, math.inf)).counts, sort)


async def tasks_with(connection: JobsRedis, counts: Mapping[str, Count], sort: str = "name") -> list[TaskInfo]:
    """The same with what was counted of each in some time."""
    workers, known = await online(connection), await known_tasks(connection)
    limits = texts(await connection.hgetall(connection.key.LIMITS))  # type: ignore[misc]
    all_ms = sum(count.ms["run"] for name, count in counts.items() if name and name not in WORKFLOW_TASKS)
    found: list[TaskInfo] = []
    for name in sorted({*known, *filter(None, counts)}):
        override, count = limits.get(f"{name}|override"), counts.get(name) or Count()
        ran = Count() if name in WORKFLOW_TASKS else count
        info = TaskInfo(
            name=name,
            workers=sum(name in worker.tasks for worker in workers),
            declared=name in known,
            queue=known[name].queue if name in known else "",
            rate_limit=rate_text(limits[f"{name}|rate"] if override is None else override),
            overridden=override is not None,
            max_concurrency=whole(limits[f"{name}|most"] or limits[f"{name}|holders"]) or None,
            count=count,
            p50_s=ran.percentile("run", 50),
            p95_s=ran.percentile("run", 95),
            wait_p95_s=count.percentile("wait", 95),
            failure_share=count.failure_share,
            run_s=ran.ms["run"] / 1000,
            share=ran.ms["run"] / all_ms if all_ms else None,
        )
        found.append(info)
    return sorted_tasks(found, sort)


def sorted_tasks(infos: Iterable[TaskInfo], sort: str) -> list[TaskInfo]:
    """By name, or by something of which the most comes first."""
    by_name = sorted(infos, key=lambda info: info.name)
    return by_name if sort == "name" else sorted(by_name, key=SORTS[sort], reverse=True)
