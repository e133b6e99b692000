"""`worker_settings()`: the class that arq's command line takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from arq.cron import CronJob

from jobs import keys
from jobs.connection import JobsRedis
from jobs.decorator import Task
from jobs.errors import SettingsMistake
from jobs.maps import map_items, starmap_items
from jobs.orchestrator import workflow
from jobs.redis_url import RedisURL
from jobs.schedules import Schedule
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
    Other options are those of `jobs.worker.Worker` and of arq's Worker; one that neither has is a SettingsMistake.
    """
    use_our_worker()
    known = set(inspect.signature(Worker).parameters)
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
            raise SettingsMistake(f"worker_settings() has no option {name!r}; {hint}")
    if "queue_name" in options:
        raise SettingsMistake(
            f"worker_settings() takes queues=[...], not queue_name={options['queue_name']!r}"
        )
    if (log_format := options.get("log_format", "text")) not in ("text", "json"):
        raise SettingsMistake(f"log_format={log_format!r}: it is 'text' for people or 'json' for machines")
    _check_names(cron_jobs)
    if isinstance(queues, str) or not queues:
        raise SettingsMistake(f"queues={queues!r}: give a list of names, such as ['mail', 'default']")
    attributes = {
        **_DEFAULTS,
        **options,
        "functions": [*as_functions((*tasks, *BUILT_IN)), *functions],
        "cron_jobs": list(cron_jobs),
        "queues": list(queues),
        "queue_name": keys.queue_key(queues[0]),  # where `arq --check` looks for the health record
        "redis_pool": JobsRedis.at(redis_url),
        "redis_settings": RedisURL.read(redis_url).arq_settings(),  # what `arq --check` connects by
    }
    return type("WorkerSettings", (), attributes)


def _check_names(cron_jobs: Iterable[CronJob]) -> None:
    """Redis remembers a schedule by its name: two of one name would take each other's moments."""
    seen = set[str]()
    for schedule in cron_jobs:
        if isinstance(schedule, Schedule) and schedule.name in seen:
            raise SettingsMistake(f"two schedules are called {schedule.name!r}: give each a name= of its own")
        seen.add(schedule.name)
