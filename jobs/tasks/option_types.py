"""The names and types of all options: those of a task, `@task(...)`, and those of one call, `apply_async(...)`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypedDict
from uuid import UUID

Exceptions = type[BaseException] | Iterable[type[BaseException]]
"""One class of exceptions, or some in a tuple, list or set."""
Span = float | timedelta
"""Seconds as a number, or a timedelta."""
TaskHook = Callable[[Any, Any], Any]
"""Called with the job (CurrentJob), and the value it returned or the exception it ended with. Plain or async."""


class TaskKeywords(TypedDict, total=False):
    """The options as keywords, so that a type checker knows them; TaskOptions says what they mean."""

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
    strict: bool
    on_success: TaskHook | None
    on_failure: TaskHook | None
    on_retry: TaskHook | None


class Callback(Protocol):
    """A call that follows another: a signature or a workflow."""

    def to_dict(self) -> dict[str, Any]: ...


class ManyOptions(TypedDict, total=False):
    """What all calls of an `apply_many` have in common; see `apply_async`. None: as if it was not given."""

    countdown: Span | None
    """Start it this long from now; negative: now."""
    eta: datetime | None
    """Start it at this time; naive: local time. Give this or `countdown`."""
    expires: Span | datetime | None
    """It never starts later than this: a time, or seconds from now. One that has started may be retried later."""
    queue: str | None
    """Another queue than the task's own."""
    headers: Mapping[str, str] | None
    """Texts that travel with the call, and to its members and callbacks; the task reads `self.request.headers`."""
    link: Callback | Sequence[Callback] | None
    """Called with the result. Storing that call and ending this job is one step."""
    link_error: Callback | Sequence[Callback] | None
    """Called with (request, exception, traceback) once the job has failed."""


class CallOptions(ManyOptions, total=False):
    """The options of one call. A type checker refuses others, and a call says what to use instead."""

    task_id: str | UUID | None
    """Its id. A second call with it is the same job, until its result ends or is forgotten: it changes nothing."""
