"""A task of ours in arq's list of functions: a stock worker could run it, ours finds the Task in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arq.worker import Function

from jobs.current import CurrentJob, Request
from jobs.decorator import Task


@dataclass
class TaskFunction(Function):
    """What `arq.worker.func()` makes of a coroutine, made of a Task."""

    task: Task[Any, Any] = None  # type: ignore[assignment]  # dataclass fields after defaults need one


def as_function(task: Task[Any, Any]) -> TaskFunction:
    """The arq function that runs *task*."""

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
    return TaskFunction(task.name, run, options.time_limit, options.result_expires, False, None, task)
