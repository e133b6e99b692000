"""What each option of `worker_settings()` may be. A wrong value is refused where it was written."""

import contextlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from arq.cron import CronJob
from arq.worker import func

from ..client.decorator import Task
from ..client.middleware import check_middleware
from ..errors import SettingsMistake
from ..schedules.schedule import Schedule
from ..store import keys
from ..values import checks

OF_CELERY: Final = {
    "beat_schedule": "use cron_jobs=[crontab(...), every(...)]",
    "broker_url": "use redis_url=",
    "concurrency": "use max_jobs=: jobs that run at the same time, of any kind",
    "imports": "use tasks=[...]",
    "include": "use tasks=[...]",
    "max_memory_per_child": "use max_memory=, in MB",
    "max_tasks_per_child": "use max_jobs_total=",
    "prefetch_multiplier": "leave it out: a worker claims no more than it has room for",
    "result_backend": "leave it out: results are in redis_url=, too",
    "result_expires": "use keep_result=, or @task(result_expires=...)",
    "task_acks_late": "leave it out: @task(acks_late=True) is the default",
    "task_always_eager": "use eager() of the module testing in tests",
    "task_default_queue": "give it to the task: @task(queue=...)",
    "task_routes": "give each task its queue: @task(queue=...)",
    "task_time_limit": "use job_timeout=, or @task(time_limit=...)",
}
"""Settings of Celery, without `worker_`, and what to do instead."""

_REDIS: Final = "write redis_url='redis://user:password@host:6379/0' (rediss:// for TLS)"


def around(option: str, value: Any) -> Any:
    """A function that takes a job and returns an async context manager, as far as one can see without calling it."""
    if isinstance(value, type):
        fits = hasattr(value, "__aenter__") and hasattr(value, "__aexit__")
    else:
        is_bare = inspect.isasyncgenfunction(value) or inspect.iscoroutinefunction(value)
        fits = not is_bare and not inspect.isgeneratorfunction(inspect.unwrap(value))
    try:
        inspect.signature(value).bind(None)
    except TypeError:
        fits = False
    except ValueError:  # it shows no signature
        pass
    if not fits:
        raise TypeError(
            f"around={checks.shown(value)}: give a function of one argument, the CurrentJob, that returns an async "
            "context manager: put @contextlib.asynccontextmanager above an async def with one yield"
        )
    return value


def _address(option: str, value: Any) -> Any:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})", value, re.ASCII) if isinstance(value, str) else None
    if not found or not 0 < int(found[2]) < 2**16:
        give = "give host:port, such as '127.0.0.1:9101' or '[::1]:9101'; '0.0.0.0:9101' is for every address"
        raise TypeError(f"{option}={checks.shown(value)}: {give}")
    return value


def _mapping(option: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"{option}={checks.shown(value)}: give a dict")
    return value


def _only(*allowed: Any, otherwise: str) -> checks.Check:
    def check(option: str, value: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in allowed):
            hides = allowed == (None,)  # settings of a Redis may hold a password
            raise TypeError(f"{option}={'...' if hides else checks.shown(value)}: {otherwise}")
        return value

    return check


def _queues(option: str, value: Any) -> list[str]:
    named = list(checks.names(option, value))
    if not named or len(set(named)) < len(named):
        raise SettingsMistake(f"{option}={checks.shown(value)}: give a list of names, each once")
    return named


def _list_of(fits: Callable[[Any], bool], otherwise: str) -> checks.Check:
    def check(option: str, value: Any) -> list[Any]:
        several = list(checks.items(option, value, f"a list of {option}"))
        for one in several:
            if not fits(one):
                raise SettingsMistake(f"{option}=[...]: {checks.shown(one)} {otherwise}")
        return several

    return check


def _is_function(one: Any) -> bool:
    """Is it a coroutine function, what `arq.worker.func()` makes, or the path of one?"""
    with contextlib.suppress(Exception):
        return isinstance(one, str) or func(one) is not None
    return False


_SECONDS = partial(checks.seconds, least=0)
_FLAGS = ("burst", "handle_signals", "keep_result_forever", "retry_jobs", "log_results", "accept_pickle")
_TIMES = ("lease", "lease_renewal", "loop_stuck", "poll_delay", "health_check_interval")
_HOOKS = ("on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end")
_FUNCTIONS = (*_HOOKS, "job_serializer", "job_deserializer")

CHECKS: Final[Mapping[str, checks.Check]] = {
    **dict.fromkeys(_FLAGS, checks.flag),
    **dict.fromkeys(_FUNCTIONS, checks.or_none(checks.function)),
    **dict.fromkeys(_TIMES, partial(checks.seconds, above=0)),
    **dict.fromkeys(("unknown_task_patience", "job_completion_wait"), _SECONDS),
    **dict.fromkeys(("job_timeout", "keep_result"), checks.or_none(_SECONDS)),
    **dict.fromkeys(("redis_settings", "redis_pool"), _only(None, otherwise=_REDIS)),
    "tasks": _list_of(
        lambda one: isinstance(one, Task),
        "is no task: put @task above the function; functions=[...] takes those of arq",
    ),
    "functions": _list_of(_is_function, "is no function of arq, an `async def`; a task belongs in tasks=[...]"),
    "cron_jobs": _list_of(
        lambda one: isinstance(one, CronJob), "is no schedule: give crontab(...), every(...), or what arq.cron() makes"
    ),
    "queues": _queues,
    "health": checks.or_none(_address),
    "around": checks.or_none(around),
    "middleware": check_middleware,
    "max_jobs": partial(checks.count, least=1, most=100_000),
    "max_jobs_total": checks.or_none(checks.count, least=1),
    "max_burst_jobs": partial(checks.count, least=-1),
    "max_tries": partial(checks.count, least=1),
    "max_memory": checks.or_none(checks.number, above=0),
    "nice": partial(checks.count, most=19),
    "expires_extra_ms": checks.count,
    "queue_name": keys.checked_queue_key,
    "health_check_key": checks.or_none(checks.name),
    "ctx": checks.or_none(_mapping),
    "timezone": checks.or_none(checks.zone),
    "log_format": _only("text", "json", otherwise="it is 'text' for people or 'json' for machines"),
    "allow_abort_jobs": _only(True, otherwise="every job can be aborted here; remove it"),
    "queue_read_limit": _only(None, otherwise="remove it, a worker claims for at most half of its slots at a time"),
}


def checked(options: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """The options as they are meant; SettingsMistake: one that does not exist, or with a value that it cannot have."""
    meant: dict[str, Any] = {}
    for option, value in options.items():
        if option not in known:
            hint = OF_CELERY.get(option.removeprefix("worker_")) or checks.hint(option, list(known))
            raise SettingsMistake(f"worker_settings() has no option {option!r}; {hint}")
        with checks.as_settings_mistake():
            meant[option] = CHECKS[option](option, value)
    if meant.get("accept_pickle") and (meant.get("job_serializer") or meant.get("job_deserializer")):
        why = "it is for projects without a job_serializer, whose jobs arq pickles; remove the one or the other"
        raise SettingsMistake(f"accept_pickle=True: {why}")
    lease, renewal = meant.get("lease", 15), meant.get("lease_renewal", 5)
    if renewal >= lease:
        raise SettingsMistake(f"lease_renewal={renewal:g}: give less than the lease, {lease:g} s, or leases end")
    return meant


def refuse_namesakes(functions: Sequence[Any], cron_jobs: Sequence[CronJob]) -> None:
    """SettingsMistake for two functions or tasks of one name, of which arq runs the last for both, and for two
    schedules: Redis knows each by its name alone."""
    known: dict[str, Any] = {}
    of_arq = (job for job in cron_jobs if not isinstance(job, Schedule))
    for one in (*(name if isinstance(name, str) else func(name) for name in functions), *of_arq):
        name, code = (one, one) if isinstance(one, str) else (one.name, one.coroutine)
        if known.setdefault(name, code) != code:
            raise SettingsMistake(
                f"two functions are named {name!r} in tasks= or functions=: take one out, or give it another name="
            )
    names = [job.name for job in cron_jobs if isinstance(job, Schedule)]
    for name in names:
        if names.count(name) > 1:
            raise SettingsMistake(f"two schedules are called {name!r}: give each a name= of its own")
