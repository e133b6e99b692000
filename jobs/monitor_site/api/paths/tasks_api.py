"""The tasks, their limits and their figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ... import task_list
from ...acting import Action
from ...actions import of_tasks
from ...model import limits
from ...options import redis
from ...ranges import RANGES, Interval, history, last_minutes
from ...request_args import not_found
from ..endpoints import read, write
from ..given import Given, Within

Rate = Annotated[str, Given("`10/s`, `5/m` or `100/h`; '' for no limit.", 50)]
Key = Annotated[str, Given("`tenant_id=7`, or `region=eu&tenant_id=7`, values percent-encoded; '' for all jobs.")]
Changed = Annotated[str, Given("`5` at a time, `10/s`, `pause`, `resume`; '' for what the task declares.", 50)]
Sort = Annotated[
    Literal["name", "time", "p50", "p95", "wait", "jobs", "failures", "failure-rate", "retries"],
    Given("By name, or the most of something first; `time`: all that its jobs ran together."),
]


@dataclass(frozen=True)
class TaskDetail:
    """A task, and what was counted of it."""

    task: task_list.TaskInfo
    missing: int  # Minutes of the time that are not added up yet.
    intervals: list[Interval]  # The oldest first; the last one is still going on.


@dataclass(frozen=True)
class Tasks:
    """Tasks, and how many minutes of the time are not added up yet: ask again."""

    rows: list[task_list.TaskInfo]
    missing: int


@read("/tasks")
async def tasks(within: Within = "1h", sort: Sort = "name") -> Tasks:
    """Every task that a worker ever declared, or that ran in this time."""
    totals = await last_minutes(redis(), RANGES[within].minutes)
    return Tasks(await task_list.tasks_with(redis(), totals.counts, sort), totals.missing)


@read("/tasks/{name}")
async def task(name: str, within: Within = "1h") -> TaskDetail:
    """One task, and its figures in some time."""
    totals = await last_minutes(redis(), RANGES[within].minutes)
    found = [info for info in await task_list.tasks_with(redis(), totals.counts) if info.name == name]
    intervals = await history(redis(), RANGES[within], name)
    return TaskDetail(found[0] if found else not_found(), totals.missing, intervals)


@write("/tasks/{name}/rate-limit")
async def change_rate(name: str, rate: Rate) -> Action:
    """Set the rate limit of a task for all workers. It permanently overrides the one in the code."""
    return of_tasks.change_rate(name, rate)


@dataclass(frozen=True)
class Limits:
    """What counts for a task and for keys of it."""

    rows: list[limits.LimitInfo]


@read("/tasks/{name}/limits")
async def task_limits(name: str, key: Key = "") -> Limits:
    """The limits of a task, and of up to 100 keys: where most jobs wait, or something is set. With a key: its own."""
    if name not in {info.name for info in await task_list.tasks_with(redis(), {})}:
        not_found()
    own = await limits.limit_key(redis(), name, key) if key else None
    return Limits(await limits.limit_list(redis(), name, own))


@write("/tasks/{name}/limits")
async def change_limit(name: str, limit: Changed, key: Key = "") -> Action:
    """Change what counts for a task, or for a key of it, for all workers."""
    return of_tasks.change_limit(name, key, limit)
