"""What each option of `worker_settings()` may be. A wrong value is refused where it was written."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from arq.cron import CronJob
from arq.worker import Function

from jobs import checks
from jobs.decorator import Task
from jobs.errors import SettingsMistake
from jobs.schedules import Schedule, crontab

AROUND: Final = (
    "around=%s: give a function of one argument, the CurrentJob, that returns an async context manager: "
    "put @contextlib.asynccontextmanager above an async def with one yield"
)


def around(option: str, value: Any) -> Any:
    """A function that takes a job and returns an async context manager, as far as one can see without calling it."""
    inner = inspect.unwrap(value) if callable(value) else value
    is_manager = isinstance(value, type) and hasattr(value, "__aenter__") and hasattr(value, "__aexit__")
    is_bare = inspect.isasyncgenfunction(value) or inspect.iscoroutinefunction(value)
    is_manager = is_manager or not (isinstance(value, type) or is_bare or inspect.isgeneratorfunction(inner))
    if not callable(value) or not is_manager or not _takes_one(value):
        raise TypeError(AROUND % checks.shown(value))
    return value


def _takes_one(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # it shows no signature
        pass
    return True


def _mapping(option: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"{option}={checks.shown(value)}: give a dict")
    return value


def _log_format(option: str, value: Any) -> Any:
    if value not in ("text", "json"):
        raise TypeError(f"log_format={checks.shown(value)}: it is 'text' for people or 'json' for machines")
    return value


def _any(option: str, value: Any) -> Any:
    return value


_ABOVE_ZERO = partial(checks.seconds, above=0)
_NOT_NEGATIVE = partial(checks.seconds, least=0)
_COUNT_OR_NONE = checks.or_none(checks.count, least=1)
_FUNCTION_OR_NONE = checks.or_none(checks.function)

CHECKS: Final[Mapping[str, checks.Check]] = {
    "around": checks.or_none(around),
    "lease": _ABOVE_ZERO,
    "lease_renewal": _ABOVE_ZERO,
    "loop_stuck": _ABOVE_ZERO,
    "unknown_task_patience": _NOT_NEGATIVE,
    "max_jobs_total": _COUNT_OR_NONE,
    "max_memory": checks.or_none(checks.number, above=0),
    "log_format": _log_format,
    "nice": partial(checks.count, most=19),
    "accept_pickle": checks.flag,
    "queue_name": _any,
    "redis_settings": _any,
    "redis_pool": _any,
    "burst": checks.flag,
    "on_startup": _FUNCTION_OR_NONE,
    "on_shutdown": _FUNCTION_OR_NONE,
    "on_job_start": _FUNCTION_OR_NONE,
    "on_job_end": _FUNCTION_OR_NONE,
    "after_job_end": _FUNCTION_OR_NONE,
    "handle_signals": checks.flag,
    "job_completion_wait": _NOT_NEGATIVE,
    "max_jobs": partial(checks.count, least=1, most=100_000),
    "job_timeout": checks.or_none(_NOT_NEGATIVE),
    "keep_result": checks.or_none(_NOT_NEGATIVE),
    "keep_result_forever": checks.flag,
    "poll_delay": _ABOVE_ZERO,
    "queue_read_limit": _COUNT_OR_NONE,
    "max_tries": partial(checks.count, least=1),
    "health_check_interval": _ABOVE_ZERO,
    "health_check_key": checks.or_none(checks.name),
    "ctx": checks.or_none(_mapping),
    "retry_jobs": checks.flag,
    "allow_abort_jobs": checks.flag,
    "max_burst_jobs": partial(checks.count, least=-1),
    "job_serializer": _FUNCTION_OR_NONE,
    "job_deserializer": _FUNCTION_OR_NONE,
    "expires_extra_ms": checks.count,
    "timezone": checks.or_none(checks.zone),
    "log_results": checks.flag,
}


def checked(options: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """The options as they are meant; SettingsMistake: one that does not exist, or with a value that it cannot have."""
    meant: dict[str, Any] = {}
    for option, value in options.items():
        if option not in known:
            raise SettingsMistake(
                f"worker_settings() has no option {option!r}; {checks.hint(option, list(known))}"
            )
        with checks.as_settings_mistake():
            meant[option] = CHECKS[option](option, value)
    lease, renewal = meant.get("lease", 15), meant.get("lease_renewal", 5)
    if renewal >= lease:
        raise SettingsMistake(
            f"lease_renewal={renewal:g}: give less than the lease, {lease:g} s, or leases end"
        )
    return meant


def checked_queues(queues: Any) -> list[str]:
    """The names of the queues, in their order."""
    with checks.as_settings_mistake():
        named = checks.names("queues", queues)
    if not named or len(set(named)) < len(named):
        raise SettingsMistake(f"queues={checks.shown(queues)}: give a list of names, each once")
    return list(named)


def checked_tasks(tasks: Any) -> list[Task[Any, Any]]:
    """The tasks; no two of one name."""
    if isinstance(tasks, str | Task) or not isinstance(tasks, Iterable):
        raise SettingsMistake(f"tasks={checks.shown(tasks)}: give a list of tasks")
    several = list(tasks)
    by_name: dict[str, Task[Any, Any]] = {}
    for one in several:
        if not isinstance(one, Task):
            raise SettingsMistake(
                f"tasks=[...]: {checks.shown(one)} is no task: put @task above the function; "
                "functions=[...] takes those of arq"
            )
        for name in (one.name, *one.options.aliases):
            if by_name.setdefault(name, one) is not one:
                raise SettingsMistake(f"tasks=[...]: two tasks are named {name!r}; give one another name=")
    return several


def checked_functions(functions: Any) -> list[Any]:
    """arq's functions: a coroutine function, what `arq.worker.func()` makes, or the path of one."""
    if isinstance(functions, str) or not isinstance(functions, Iterable):
        raise SettingsMistake(f"functions={checks.shown(functions)}: give a list of functions")
    several = list(functions)
    for one in several:
        if isinstance(one, Task):
            raise SettingsMistake(f"functions=[...]: {one!r} is a task: give it in tasks=[...]")
        if not isinstance(one, Function | str) and not callable(one):
            raise SettingsMistake(f"functions=[...]: {checks.shown(one)} is no function")
    return several


def checked_cron_jobs(cron_jobs: Any, zone: Any) -> list[CronJob]:
    """The schedules, by the clock of *zone* where they have none of their own.

    Redis remembers a schedule by its name: two of one name would take each other's moments.
    """
    if isinstance(cron_jobs, str | CronJob) or not isinstance(cron_jobs, Iterable):
        raise SettingsMistake(f"cron_jobs={checks.shown(cron_jobs)}: give a list of schedules")
    several: list[Any] = list(cron_jobs)
    seen = set[str]()
    for schedule in several:
        if not isinstance(schedule, CronJob):
            raise SettingsMistake(
                f"cron_jobs=[...]: {checks.shown(schedule)} is no schedule: give crontab(...), every(...), "
                "or what arq.cron() makes"
            )
        if isinstance(schedule, Schedule) and schedule.name in seen:
            raise SettingsMistake(f"two schedules are called {schedule.name!r}: give each a name= of its own")
        seen.add(schedule.name)
    if zone is None:
        return several
    return [schedule.in_zone(zone) if isinstance(schedule, crontab) else schedule for schedule in several]
