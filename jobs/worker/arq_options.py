"""What arq's options of a worker mean here: to arq's functions what arq documents, to tasks the same or a refusal.

Tasks are in arq's list of functions, of which a worker makes what it can run, by name.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import arq.worker
from arq.utils import to_seconds

from ..client.decorator import Task
from ..client.middleware import Middleware
from ..client.submit import WORKFLOW_TASKS
from ..schedules.schedule import Schedule
from ..tasks import registry
from .execution.runnables import Runnable, TaskRunnable

OF_THE_CONNECTION: Final = ("job_serializer", "job_deserializer", "expires_extra_ms", "middleware")
"""Options that the worker's connection takes, which is `ctx["redis"]`."""


def arq_format() -> Any:
    """The module for what arq pickled, of a worker with `accept_pickle=True`."""
    return import_module("..contrib.pickled", __package__)


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
    worker: arq.worker.Worker, middleware: Sequence[Middleware], given: Mapping[str, Any]
) -> Iterator[tuple[str, Runnable]]:
    """The tasks, functions and cron jobs that *worker* was given, besides the options *given*."""
    for name, function in worker.functions.items():
        if isinstance(function, TaskFunction):
            yield name, _of_task(function.task, middleware, given)
        elif isinstance(function, Schedule):  # it calls a task, and may bear its name
            if isinstance(task := registry.lookup(function.task), Task):
                yield function.task, _of_task(task, middleware, given)
        else:
            yield name, import_module("..contrib.arq_functions", __package__).ArqRunnable(function, worker)


def _of_task(task: Task[Any, Any], middleware: Sequence[Middleware], given: Mapping[str, Any]) -> TaskRunnable:
    """The options of arq hold where a task does not say otherwise itself. With `retry_jobs=False` no job is run again:
    what asks for a retry has failed, and so has a job that a shutdown stops. A workflow is no job of the application's.
    """
    keep_result_s = math.inf if given.get("keep_result_forever") else to_seconds(given.get("keep_result"))
    if task.name in WORKFLOW_TASKS:
        return TaskRunnable(task, middleware, keep_result_s)
    defaults: dict[str, Any] = {}
    if given.get("job_timeout"):
        defaults["time_limit"] = to_seconds(given["job_timeout"])
    if "max_tries" in given:
        defaults["max_retries"] = given["max_tries"] - 1
    missing = {name: value for name, value in defaults.items() if name not in task.given}
    task = task.with_options(**missing) if missing else task
    return TaskRunnable(task, middleware, keep_result_s, given.get("retry_jobs", True))
