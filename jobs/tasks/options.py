"""What `@task(...)` takes: Celery's names and defaults. Times are in seconds."""

# ruff: noqa: RUF009  # _option() is a field()

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from ..errors import Retry
from ..values import checks
from .call_options import TaskHook, advice
from .limits import Limits, keys_asked, limit_option
from .rate_limit import stored_rate
from .unique import Unique


def _backoff(option: str, value: Any) -> bool | float:
    return value if isinstance(value, bool) else checks.seconds(option, value, least=0)


def _rate_limit(option: str, value: Any) -> Any:
    stored_rate(value)
    return value


def _option(check: checks.Check, default: Any) -> Any:
    return field(default=default, metadata={"check": check})


_DELAY = partial(checks.seconds, least=0)
_SPAN = checks.or_none(checks.seconds, least=checks.LEAST_SECONDS)
_UNIQUE = checks.or_none(checks.of_class(Unique, 'Unique("user_id"), for example'))
_HOOK = checks.or_none(checks.function)


@dataclass(frozen=True)
class TaskOptions:
    """What a task was given, checked: times as seconds, exceptions as a tuple. TypeError or WrongValue otherwise."""

    bind: bool = _option(checks.flag, False)
    """The function's first argument is its CurrentJob."""
    aliases: Iterable[str] = _option(checks.names, ())
    """Names that the task had before: calls stored under them still run."""
    queue: str = _option(checks.queue, "default")
    """Where its calls wait, unless a call says otherwise."""
    max_retries: int | None = _option(checks.or_none(checks.count), 3)
    """How often a job may be retried; None: without end. A deploy or a crash uses up none."""
    default_retry_delay: float = _option(_DELAY, 180)
    """Before a retry that says nothing else."""
    autoretry_for: tuple[type[BaseException], ...] = _option(checks.exceptions, ())
    """Exceptions after which the job is retried by itself."""
    dont_autoretry_for: tuple[type[BaseException], ...] = _option(checks.exceptions, ())
    """Of those, the ones after which it is not."""
    retry_backoff: bool | float = _option(_backoff, False)
    """False: always `default_retry_delay`. A number: the first delay, doubled each time. True: 1."""
    retry_backoff_max: float = _option(_DELAY, 600)
    """The longest delay that `retry_backoff` comes to."""
    retry_jitter: bool = _option(checks.flag, True)
    """Of a backed-off delay, take a random part between nothing and all of it."""
    rate_limit: Limits = _option(limit_option(_rate_limit), None)
    """Maximum starts per period, across all workers: 5 (a second), "10/s", "5/m", "100/h". They are spaced evenly:
    "6/m" is one each 10.5 s. `Limit("10/m", per="tenant_id")`: for each value of a parameter; a list has several."""
    max_concurrency: Limits = _option(limit_option(checks.or_none(checks.count, least=1)), None)
    """Maximum running at once, across all workers. `Limit(2, per="tenant_id")`, and lists, as in `rate_limit`."""
    unique: Unique | None = _option(_UNIQUE, None)
    """One job for all calls with the same arguments, or some of them: see [flow control](flow-control.md)."""
    time_limit: float | None = _option(_SPAN, None)
    """Seconds after which the code is stopped: FAILURE, TimeLimitExceeded. A thread runs on, and keeps its slot."""
    soft_time_limit: float | None = _option(_SPAN, None)
    """Seconds after which SoftTimeLimitExceeded is raised inside the code. Nothing can reach into a thread."""
    expires: float | None = _option(_SPAN, None)
    """Seconds after its call in which a job has to start; otherwise it is REVOKED. One that has started may be tried
    again later than that."""
    ignore_result: bool = _option(checks.flag, False)
    """What it returns is not stored; what it raises is."""
    result_expires: float | None = _option(_SPAN, None)
    """How long its results are kept; None: one day."""
    acks_late: bool = _option(checks.flag, True)
    """A job whose worker died runs again. False: it is a FAILURE (WorkerLost) and never runs twice."""
    raises: tuple[type[BaseException], ...] = _option(checks.exceptions, ())
    """Exceptions that come back as their own class where the result is read."""
    process: bool = _option(checks.flag, False)
    """A plain function runs in a process of its own, which is killed at its time limit and may crash alone. As
    many run at a time as there are processors; `around` and `self.ctx` stay with the worker."""
    strict: bool = _option(checks.flag, False)
    """Every annotated argument is checked at the call, and the value that is returned at the end."""
    on_success: TaskHook | None = _option(_HOOK, None)
    """Called with (job, what it returned), on the worker; plain or async. What it raises is only logged."""
    on_failure: TaskHook | None = _option(_HOOK, None)
    """The same with (job, exception), once the job has failed for good."""
    on_retry: TaskHook | None = _option(_HOOK, None)
    """The same with (job, exception), before each retry."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = option.metadata["check"](option.name, getattr(self, option.name))
            object.__setattr__(self, option.name, value)

    @property
    def limit_keys(self) -> list[tuple[str, ...]]:
        """The parameters of each key that limits ask for: see `keys_asked`."""
        if self.rate_limit is None and self.max_concurrency is None:
            return []
        return keys_asked(self.rate_limit, self.max_concurrency)

    def retries_by_itself(self, error: BaseException) -> bool:
        """Does the task want another try after this error, without having asked by `self.retry()`?"""
        if isinstance(error, (Retry, *self.dont_autoretry_for)):
            return False
        return isinstance(error, self.autoretry_for)

    def next_delay(self, retries: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds until the next try of a job that was retried *retries* times; never above the maximum."""
        if not self.retry_backoff:
            return self.default_retry_delay
        delay = min(self.retry_backoff * 2.0 ** min(retries, 64), self.retry_backoff_max)
        return uniform(0, delay) if self.retry_jitter else delay


NAMES = tuple(field.name for field in fields(TaskOptions))


def read_options(options: Mapping[str, Any]) -> TaskOptions:
    """The options of `@task(...)`. TypeError: one that does not exist. SettingsMistake: a value that it cannot have."""
    for name in options:
        if name not in NAMES:
            raise TypeError(f"@task() has no option {name!r}; {advice(name, NAMES)}")
    with checks.as_settings_mistake():
        return TaskOptions(**options)
