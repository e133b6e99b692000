"""What arq's options of a worker mean here: to arq's functions what arq documents, to tasks the same or a refusal."""

import logging
import math
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from arq.utils import to_seconds

from ..client.decorator import Task
from ..client.submit import WORKFLOW_TASKS
from .execution.claimed_job import CallData
from .execution.held_job import HeldJob

logger = logging.getLogger("arq.worker.jobs")

OF_THE_CONNECTION: Final = ("job_serializer", "job_deserializer", "expires_extra_ms", "middleware")
"""Options that the worker's connection takes, which is `ctx["redis"]`."""


class TaskDefaults:
    """What a worker's options of arq are for its tasks, where a task does not say otherwise itself.

    `job_timeout` is the `time_limit`, `max_tries` is one more than `max_retries`, `keep_result` and
    `keep_result_forever` are `result_expires`. With `retry_jobs=False` no job is run again: what asks for a retry has
    failed, and so has a job that a shutdown stops.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._options: dict[str, Any] = {}
        if given.get("job_timeout"):
            self._options["time_limit"] = to_seconds(given["job_timeout"])
        if "max_tries" in given:
            self._options["max_retries"] = given["max_tries"] - 1
        self.keep_result_s = math.inf if given.get("keep_result_forever") else to_seconds(given.get("keep_result"))
        self.retry_jobs: bool = given.get("retry_jobs", True)

    def applied_to(self, task: Task[Any, Any]) -> Task[Any, Any]:
        """The task with its own options and, where it has none, these. A workflow is none of the application's jobs."""
        missing = {name: value for name, value in self._options.items() if name not in task.given}
        return task.with_options(**missing) if missing and task.name not in WORKFLOW_TASKS else task


def pickle_reader() -> Callable[[HeldJob], CallData]:
    """What reads the jobs that arq pickled, for a worker with `accept_pickle=True`. The log says what that means."""
    logger.warning(
        "accept_pickle=True: ANYBODY WHO CAN WRITE TO THIS REDIS CAN RUN ANY CODE HERE. It is for jobs arq pickled "
        "before the exchange: remove it once they are done"
    )
    return import_module("..contrib.pickled", __package__).read  # type: ignore[no-any-return]
