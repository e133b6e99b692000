"""The options of one call, `apply_async(..., countdown=10)`, and of a signature, `.set(countdown=10)`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from ..errors import WrongValue
from ..values import checks
from ..values.wrong_calls import other_names
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
