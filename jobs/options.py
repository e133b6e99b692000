"""What `@task(...)` takes: Celery's names and defaults. Times are in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict

from jobs import checks
from jobs.call_options import advice
from jobs.limits import parse_rate_limit
from jobs.retry import RetryPolicy

if TYPE_CHECKING:
    from jobs.current import CurrentJob

Exceptions = type[BaseException] | Iterable[type[BaseException]]
"""One class of exceptions, or some in a tuple, list or set."""
Span = float | timedelta
"""Seconds as a number, or a timedelta."""
TaskHook = Callable[["CurrentJob", Any], Any]
"""Called with the job, and the value it returned or the exception it ended with. Plain or async."""


class TaskKeywords(TypedDict, total=False):
    """The options as keywords, so that a type checker knows them; what they mean stands in TaskOptions."""

    aliases: Iterable[str]
    queue: str
    max_retries: int | None
    default_retry_delay: Span
    autoretry_for: Exceptions
    dont_autoretry_for: Exceptions
    retry_backoff: bool | Span
    retry_backoff_max: Span
    retry_jitter: bool
    rate_limit: str | float | None
    max_concurrency: int | None
    time_limit: Span | None
    soft_time_limit: Span | None
    expires: Span | None
    ignore_result: bool
    result_expires: Span | None
    acks_late: bool
    raises: Exceptions
    process: bool
    on_success: TaskHook | None
    on_failure: TaskHook | None
    on_retry: TaskHook | None


@dataclass(frozen=True)
class TaskOptions:
    """What a task was given, checked: times as seconds, exceptions as a tuple. TypeError or WrongValue otherwise."""

    bind: bool = False
    """The function's first argument is its CurrentJob."""
    aliases: Iterable[str] = ()
    """Names that the task had before: calls stored under them still run."""
    queue: str = "default"
    max_retries: int | None = 3
    default_retry_delay: float = 180
    autoretry_for: tuple[type[BaseException], ...] = ()
    dont_autoretry_for: tuple[type[BaseException], ...] = ()
    retry_backoff: bool | float = False
    retry_backoff_max: float = 600
    retry_jitter: bool = True
    rate_limit: str | float | None = None
    """So many starts in the whole cluster: 5 (a second), "10/s", "5/m", "100/h"."""
    max_concurrency: int | None = None
    """So many at a time in the whole cluster."""
    time_limit: float | None = None
    """The code is ended after so many seconds: FAILURE, TimeLimitExceeded. A thread runs on, and keeps its slot."""
    soft_time_limit: float | None = None
    """SoftTimeLimitExceeded is raised inside the code after so many seconds. Nothing can reach into a thread."""
    expires: float | None = None
    """A job that has not started so many seconds after its call never does: REVOKED. One that has started may be tried
    again later than that."""
    ignore_result: bool = False
    """What it returns is not stored; what it raises is."""
    result_expires: float | None = None
    """How long its results are kept; None: one day."""
    acks_late: bool = True
    """A job whose worker died runs again. False: it is a FAILURE (WorkerLost) and never runs twice."""
    raises: tuple[type[BaseException], ...] = ()
    """Exceptions that come back as their own class where the result is read."""
    process: bool = False
    """A plain function runs in a process beside the worker, which is killed at its time limit and may crash alone. As
    many run at a time as there are processors; `around` and `self.ctx` stay with the worker."""
    on_success: TaskHook | None = None
    on_failure: TaskHook | None = None
    on_retry: TaskHook | None = None

    def __post_init__(self) -> None:
        for option, check in CHECKS.items():
            object.__setattr__(self, option, check(option, getattr(self, option)))

    @property
    def retry_policy(self) -> RetryPolicy:
        """When the task is tried again by itself."""
        return RetryPolicy(
            default_retry_delay=self.default_retry_delay,
            autoretry_for=self.autoretry_for,
            dont_autoretry_for=self.dont_autoretry_for,
            retry_backoff=self.retry_backoff,
            retry_backoff_max=self.retry_backoff_max,
            retry_jitter=self.retry_jitter,
        )


NAMES = tuple(field.name for field in fields(TaskOptions))

_ABOVE_ZERO = checks.or_none(checks.seconds, above=0)
_DELAY = checks.within(checks.seconds, least=0)
_HOOK = checks.or_none(checks.function)


def _backoff(option: str, value: Any) -> bool | float:
    return value if isinstance(value, bool) else checks.seconds(option, value, least=0)


def _rate_limit(option: str, value: Any) -> str | float | None:
    parse_rate_limit(value)
    return value  # type: ignore[no-any-return]  # the parser refuses everything else


CHECKS: Final[Mapping[str, checks.Check]] = {
    "bind": checks.flag,
    "aliases": checks.names,
    "queue": checks.queue,
    "max_retries": checks.or_none(checks.count),
    "default_retry_delay": _DELAY,
    "autoretry_for": checks.exceptions,
    "dont_autoretry_for": checks.exceptions,
    "retry_backoff": _backoff,
    "retry_backoff_max": _DELAY,
    "retry_jitter": checks.flag,
    "rate_limit": _rate_limit,
    "max_concurrency": checks.or_none(checks.count, least=1),
    "time_limit": _ABOVE_ZERO,
    "soft_time_limit": _ABOVE_ZERO,
    "expires": _ABOVE_ZERO,
    "ignore_result": checks.flag,
    "result_expires": _ABOVE_ZERO,
    "acks_late": checks.flag,
    "raises": checks.exceptions,
    "process": checks.flag,
    "on_success": _HOOK,
    "on_failure": _HOOK,
    "on_retry": _HOOK,
}


def read_options(options: Mapping[str, Any]) -> TaskOptions:
    """The options of `@task(...)`. TypeError: one that does not exist. SettingsMistake: a value that it cannot have."""
    for name in options:
        if name not in NAMES:
            raise TypeError(f"@task() has no option {name!r}; {advice(name, NAMES)}")
    with checks.as_settings_mistake():
        return TaskOptions(**options)
