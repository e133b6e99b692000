"""Tasks in arq's list of functions, of which a worker makes what it can run, by name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import arq.worker

from ..client.decorator import Task
from ..client.middleware import Middleware
from ..client.submit import WORKFLOW_TASKS
from ..schedules.schedule import Schedule
from ..tasks import registry
from .arq_options import TaskDefaults
from .execution.runnables import ArqRunnable, Runnable, TaskRunnable


@dataclass
class TaskFunction(arq.worker.Function):
    """What `arq.worker.func()` makes of a coroutine, made of a Task."""

    task: Task[Any, Any] = None  # type: ignore[assignment]  # dataclass fields after defaults need one


def as_functions(tasks: Iterable[Task[Any, Any]]) -> list[TaskFunction]:
    """The arq functions that run *tasks*, by their names and aliases."""
    return [
        TaskFunction(name, task.run, task.options.time_limit, task.options.result_expires, False, None, task)  # type: ignore[arg-type]
        for task in tasks
        for name in (task.name, *task.options.aliases)
    ]


def runnables(
    worker: arq.worker.Worker, middleware: Sequence[Middleware], defaults: TaskDefaults
) -> Iterator[tuple[str, Runnable]]:
    """The tasks, functions and cron jobs that *worker* was given."""
    for name, function in worker.functions.items():
        if isinstance(function, TaskFunction):
            yield name, _of_task(function.task, middleware, defaults)
        elif isinstance(function, Schedule):  # it calls a task, and may bear its name
            if isinstance(task := registry.lookup(function.task), Task):
                yield function.task, _of_task(task, middleware, defaults)
        else:
            yield name, ArqRunnable(function, worker)


def _of_task(task: Task[Any, Any], middleware: Sequence[Middleware], defaults: TaskDefaults) -> TaskRunnable:
    runs_again = defaults.retry_jobs or task.name in WORKFLOW_TASKS
    return TaskRunnable(defaults.applied_to(task), middleware, defaults.keep_result_s, runs_again)
