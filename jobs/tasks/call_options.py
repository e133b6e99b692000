"""The options of one call, `apply_async(..., countdown=10)`, and of a signature, `.set(countdown=10)`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from ..errors import WrongValue
from ..values import checks
from ..values.library_name import COMMAND
from .option_types import CallOptions, TaskKeywords

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

_OF_ARQ: Final = {"job_id": "task_id", "queue_name": "queue", "defer_by": "countdown", "defer_until": "eta"}
OF_OTHERS: Final = {
    **{
        f"{mark}{option}": f"use apply_async(..., {ours}=...)" for option, ours in _OF_ARQ.items() for mark in ("", "_")
    },
    "acks_on_failure_or_timeout": f"leave it out: a job that failed has ended, and `{COMMAND} retry` runs it again",
    "after_return": "use on_success= and on_failure=",
    "base": "there is no class of tasks: task = partial(task, on_failure=...) gives tasks the same options, "
    "and worker_settings(around=...) runs code around each",
    "before_start": "use worker_settings(around=...), or code at the start of the task",
    "compression": "nothing is compressed; a large argument belongs in a database or a file",
    "connection": "use `async with connect(url):`",
    "exchange": "use queue=",
    "keep_result": "use @task(result_expires=...)",
    "max_tries": "use @task(max_retries=...), which is one less",
    "priority": "use queues: worker_settings(queues=['urgent', 'default']) serves the first before the second",
    "producer": "use `async with connect(url):`",
    "reject_on_worker_lost": "leave it out: with acks_late=True, the default, a job whose worker died runs again",
    "retry": "leave it out: a call waits for Redis by itself, and then raises QueueUnavailable",
    "retry_kwargs": "use max_retries= and default_retry_delay=",
    "retry_on_worker_lost": "leave it out: with acks_late=True, the default, a job whose worker died runs again",
    "retry_policy": "leave it out: a call waits for Redis by itself, and then raises QueueUnavailable",
    "routing_key": "use queue=",
    "send_events": f"leave it out: `{COMMAND} events` shows what happens at any time",
    "serializer": "leave it out: every call and result is msgpack",
    "shadow": "leave it out: a task has one name, and others by aliases=",
    "store_errors_even_if_ignored": "leave it out: errors are always stored",
    "throws": "use raises=",
    "timeout": "use time_limit=",
    "track_started": "leave it out: STARTED is always stored",
    "trail": "leave it out: Result.children() is always known",
    "typing": "leave it out: arguments are always checked",
}
"""Options of Celery and arq that have no place here, and what to do instead."""


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
    if option in OF_OTHERS:
        return OF_OTHERS[option]
    if option in OF_A_TASK:
        return f"give it to @task({option}=...)"
    if option in OPTIONS:
        return f"give it to the call: apply_async(..., {option}=...)"
    return checks.hint(option, known)
