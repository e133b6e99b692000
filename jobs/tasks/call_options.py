"""The names and types of all options, and what those of one call, `apply_async(..., countdown=10)`, may be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol, TypedDict
from uuid import UUID

from ..errors import WrongValue
from ..values import checks
from ..values.calls import other_names
from .limits import Limit
from .unique import Unique

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
    rate_limit: str | float | Limit | Sequence[str | float | Limit] | None
    max_concurrency: int | Limit | Sequence[int | Limit] | None
    unique: Unique | None
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


CALLBACKS: Final = frozenset({"link", "link_error"})
OF_A_GROUP: Final = frozenset({"return_exceptions", "max_concurrency"})
OF_A_TASK: Final = frozenset({"bind", *TaskKeywords.__annotations__})
OPTIONS: Final = frozenset(CallOptions.__annotations__)

HEADER_BYTES: Final = 8_192  # Of all headers of a call, names and values: as much as web servers take.


def check_headers(option: str, value: Any) -> dict[str, str]:
    """A dict of texts, copied: who made it may change it."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{option}={checks.shown(value)}: give a dict of texts, such as {{'tenant': '7'}}")
    for name, text in value.items():
        checks.job_id(f"a name in {option}", checks.storable(f"a name in {option}", name))  # a UUID is no name
        checks.storable(f"{option}[{name!r:.80}]", text)
    if (size := bytes_of(value)) > HEADER_BYTES:
        raise WrongValue(f"{option}: they take {size:,} bytes; {HEADER_BYTES:,} are allowed")
    return dict(value)


def stored_headers(found: Any) -> dict[str, str]:
    """What is a header of those that a payload has: somebody else may have written it."""
    pairs = found.items() if isinstance(found, Mapping) else ()
    return {name: text for name, text in pairs if isinstance(name, str) and isinstance(text, str)}


def bytes_of(headers: Mapping[str, str]) -> int:
    return sum(len(word.encode()) for pair in headers.items() for word in pair)


def inherited(headers: Mapping[str, str], own: Mapping[str, str] | None) -> dict[str, str]:
    """The headers of a call that a job with *headers* makes: its own, and of the others those that still fit."""
    merged = dict(own or {})
    for name, text in headers.items():
        if name not in merged and bytes_of(merged) + bytes_of({name: text}) <= HEADER_BYTES:
            merged[name] = text
    return merged


_CHECKS: Final[Mapping[str, checks.Check]] = {
    "headers": check_headers,
    "countdown": checks.seconds,
    "eta": checks.moment,
    "expires": checks.seconds_or_moment,
    "queue": checks.queue,
    "task_id": checks.job_id,
    "return_exceptions": checks.flag,
    "max_concurrency": partial(checks.count, least=1),
}


def checked(options: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
    """The options as they are meant, callbacks left as they are. *where* takes them: `apply_async()`."""
    meant = dict(options)
    for option, value in options.items():
        if option not in known:
            raise TypeError(f"{where} has no option {option!r}; {advice(option, sorted(known))}")
        if value is not None and option in _CHECKS:
            meant[option] = _CHECKS[option](option, value)
    if options.get("eta") is not None and options.get("countdown") is not None:
        raise WrongValue("give countdown or eta, not both")
    return meant


def as_stored(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options of a stored workflow. Earlier releases took a bool as a number, and an `expires` that never comes."""
    meant = {
        option: int(value) if option in ("countdown", "expires") and isinstance(value, bool) else value
        for option, value in options.items()
    }
    if isinstance(meant.get("expires"), str):
        del meant["expires"]
    return meant


def merged(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Both; the later one wins, of headers each by itself. An eta and a countdown take each other's place."""
    both = {**before, **after}
    for later, earlier in (("eta", "countdown"), ("countdown", "eta")):
        if after.get(later) is not None and after.get(earlier) is None:
            both.pop(earlier, None)
    if before.get("headers") and after.get("headers"):
        both["headers"] = {**before["headers"], **after["headers"]}
    return both


def advice(option: str, known: Sequence[str]) -> str:
    """What to write instead of an option that does not exist."""
    if instead := other_names().OF_CALLS.get(option):
        return instead  # type: ignore[no-any-return]
    if option in OF_A_TASK:
        return f"give it to @task({option}=...)"
    if option in OPTIONS:
        return f"give it to the call: apply_async(..., {option}=...)"
    return checks.hint(option, known)
