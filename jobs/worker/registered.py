"""A task of ours in arq's list of functions: a stock worker could run it, ours finds the Task in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from arq.worker import Function

from jobs.current import CurrentJob, Request
from jobs.decorator import Task


@dataclass
class TaskFunction(Function):
    """What `arq.worker.func()` makes of a coroutine, made of a Task."""

    task: Task[Any, Any] = None  # type: ignore[assignment]  # dataclass fields after defaults need one


def as_functions(tasks: Iterable[Task[Any, Any]]) -> list[TaskFunction]:
    """The arq functions that run *tasks*, by their names and aliases."""
    return [_as_function(task, name) for task in tasks for name in (task.name, *task.options.aliases)]


def _as_function(task: Task[Any, Any], name: str) -> TaskFunction:

    async def run(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        request = Request(
            ctx.get("job_id"),
            task.name,
            args,
            kwargs,
            retries=ctx.get("job_try", 1) - 1,
            called_directly=False,
        )
        return await task.run(CurrentJob(task, request, ctx), args, kwargs)

    options = task.options
    return TaskFunction(name, run, options.time_limit, options.result_expires, False, None, task)
