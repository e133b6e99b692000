"""`worker_settings()`: the class that arq's command line takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from arq.cron import CronJob

from jobs import keys
from jobs.connection import JobsRedis
from jobs.decorator import Task
from jobs.errors import SettingsMistake
from jobs.maps import map_items, starmap_items
from jobs.orchestrator import workflow
from jobs.redis_url import RedisURL
from jobs.worker.option_checks import (
    checked,
    checked_cron_jobs,
    checked_functions,
    checked_queues,
    checked_tasks,
)
from jobs.worker.registered import as_functions
from jobs.worker.worker import Worker, use_our_worker

BUILT_IN: tuple[Task[Any, Any], ...] = (workflow, map_items, starmap_items)
"""Tasks that every worker has."""

_DEFAULTS: dict[str, Any] = {
    "max_jobs": 100,
    "poll_delay": 2,
    "job_completion_wait": 25,
    "health_check_interval": 10,
}


def worker_settings(
    *,
    redis_url: str,
    tasks: Iterable[Task[Any, Any]] = (),
    cron_jobs: Sequence[CronJob] = (),
    functions: Sequence[Any] = (),
    queues: Sequence[str] = ("default",),
    **options: Any,
) -> type:
    """The settings of a worker, for `arq module.WorkerSettings`.

    *tasks* are ours, *functions* arq's; *queues* are served in the order given, the first always before the second.
    Other options are those of `jobs.worker.Worker` and of arq's Worker.

    SettingsMistake: an option that neither has, or a value that it cannot have.
    """
    use_our_worker()
    options = checked(options, inspect.signature(Worker).parameters)
    if "queue_name" in options:
        raise SettingsMistake(
            f"worker_settings() takes queues=[...], not queue_name={options['queue_name']!r}"
        )
    queues = checked_queues(queues)
    attributes = {
        **_DEFAULTS,
        **options,
        "functions": [*as_functions((*checked_tasks(tasks), *BUILT_IN)), *checked_functions(functions)],
        "cron_jobs": checked_cron_jobs(cron_jobs, options.get("timezone")),
        "queues": queues,
        "queue_name": keys.queue_key(queues[0]),  # where `arq --check` looks for the health record
        "redis_pool": JobsRedis.at(redis_url),
        "redis_settings": RedisURL.read(redis_url).arq_settings(),  # what `arq --check` connects by
    }
    return type("WorkerSettings", (), attributes)
