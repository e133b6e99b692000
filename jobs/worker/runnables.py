"""Everything that one worker can run, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import arq.worker

from jobs import registry
from jobs.calling import WORKFLOW_TASKS
from jobs.decorator import Task
from jobs.schedules import Schedule
from jobs.worker.arq_options import TaskDefaults
from jobs.worker.functions import Around, ArqRunnable, Runnable, TaskRunnable
from jobs.worker.registered import TaskFunction


def runnables(
    worker: arq.worker.Worker, around: Around | None, defaults: TaskDefaults
) -> Iterator[tuple[str, Runnable]]:
    """The tasks, functions and cron jobs that *worker* was given."""
    for name, function in worker.functions.items():
        if isinstance(function, TaskFunction):
            yield name, _of_task(function.task, around, defaults)
        elif isinstance(function, Schedule):  # it calls a task, and may bear its name
            if isinstance(task := registry.lookup(function.task), Task):
                yield function.task, _of_task(task, around, defaults)
        else:
            yield name, ArqRunnable(function, worker)


def _of_task(task: Task[Any, Any], around: Around | None, defaults: TaskDefaults) -> TaskRunnable:
    runs_again = defaults.retry_jobs or task.name in WORKFLOW_TASKS
    return TaskRunnable(defaults.applied_to(task), around, defaults.keep_result_s, runs_again)
