"""What `@task(...)` takes: Celery's names and defaults. Times are in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypedDict

from jobs.errors import SettingsMistake
from jobs.limits import parse_rate_limit
from jobs.retry import RetryPolicy

if TYPE_CHECKING:
    from jobs.current import CurrentJob

Exceptions = tuple[type[BaseException], ...]
TaskHook = Callable[["CurrentJob", Any], Any]
"""Called with the job, and the value it returned or the exception it ended with. Plain or async."""


class TaskKeywords(TypedDict, total=False):
    """The options as keywords, so that a type checker knows them; what they mean stands in TaskOptions."""

    aliases: Iterable[str]
    queue: str
    max_retries: int | None
    default_retry_delay: float
    autoretry_for: Exceptions
    dont_autoretry_for: Exceptions
    retry_backoff: bool | float
    retry_backoff_max: float
    retry_jitter: bool
    rate_limit: str | float | None
    max_concurrency: int | None
    time_limit: float | None
    soft_time_limit: float | None
    expires: float | None
    ignore_result: bool
    result_expires: float | None
    acks_late: bool
    raises: Exceptions
    process: bool
    on_success: TaskHook | None
    on_failure: TaskHook | None
    on_retry: TaskHook | None


@dataclass(frozen=True)
class TaskOptions:
    """What a task was given."""

    bind: bool = False
    """The function's first argument is its CurrentJob."""
    aliases: Iterable[str] = ()
    """Names that the task had before: calls stored under them still run."""
    queue: str = "default"
    max_retries: int | None = 3
    default_retry_delay: float = 180
    autoretry_for: Exceptions = ()
    dont_autoretry_for: Exceptions = ()
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
    """A job that has not started so many seconds after its call never does: REVOKED."""
    ignore_result: bool = False
    """What it returns is not stored; what it raises is."""
    result_expires: float | None = None
    """How long its results are kept; None: one day."""
    acks_late: bool = True
    """A job whose worker died runs again. False: it is a FAILURE (WorkerLost) and never runs twice."""
    raises: Exceptions = ()
    """Exceptions that come back as their own class where the result is read."""
    process: bool = False
    """A plain function runs in a process beside the worker, which is killed at its time limit and may crash alone. As
    many run at a time as there are processors; `around` and `self.ctx` stay with the worker."""
    on_success: TaskHook | None = None
    on_failure: TaskHook | None = None
    on_retry: TaskHook | None = None

    def __post_init__(self) -> None:
        if isinstance(self.aliases, str):
            raise SettingsMistake(f"aliases={self.aliases!r}: give a list of names")
        object.__setattr__(self, "aliases", tuple(self.aliases))
        parse_rate_limit(self.rate_limit)
        _ = self.retry_policy  # which refuses negative delays
        if self.max_concurrency is not None and self.max_concurrency < 1:
            raise SettingsMistake(
                f"max_concurrency={self.max_concurrency!r}: at least 1, or None for no limit"
            )
        for name in ("time_limit", "soft_time_limit", "expires", "result_expires"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise SettingsMistake(f"{name}={value!r}: write seconds above 0, or None for no limit")

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


def read_options(options: dict[str, Any]) -> TaskOptions:
    """The options of `@task(...)`; a TypeError names what was probably meant by one that does not exist."""
    for name in options:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(NAMES)}"
            raise TypeError(f"@task() has no option {name!r}; {hint}")
    return TaskOptions(**options)
