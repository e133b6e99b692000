"""What may be written as the value of each filter of a query."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from .wanted import STATES

SORTS = ("newest", "oldest", "took", "waited", "started")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"([<>]=?|=)? *(\d{1,5}(?:\.\d{1,3})?)(ms|s|m|h|d)?", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def _names(value: str, known: Iterable[str] = ()) -> str:
    names = [name.strip() for name in value.split(",")]
    if not all(name in known if known else name for name in names):
        raise ValueError(value)
    return ",".join(names)


def bound(name: str, value: str) -> tuple[str, float]:
    """A comparison and its limit, in seconds, or of attempts: a number without a unit, which may be exact."""
    match = _SPAN.fullmatch(value)
    if not match or bool(match[3]) is (name == "attempts") or not (match[1] or name == "attempts"):
        raise ValueError(value)
    return match[1] or "=", float(match[2]) * _SECONDS[match[3] or "s"]


def _bounded(name: str) -> Callable[[str], str]:
    return lambda value: value if bound(name, value) else ""


def moment_meant(value: str, now: datetime, after: datetime | None = None) -> datetime | None:
    """The time that is meant: for an `until`, *after* its `since`, else in the past."""
    if not value:
        return None
    if (match := _SPAN.fullmatch(value)) and match[3] and not match[1]:
        return now - timedelta(seconds=float(match[2]) * _SECONDS[match[3]])
    if match := _CLOCK.fullmatch(value):
        base = after.astimezone(now.tzinfo) if after else now
        at = base.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return at + timedelta(days=at < after) if after else at - timedelta(days=at > now)
    at = datetime.fromisoformat(value)
    if not 1970 < at.year < 2200:
        raise ValueError(value)
    if after is not None and len(value) == len("2026-12-01"):
        at += timedelta(days=1, milliseconds=-1)  # until its end
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def _time(value: str) -> str:
    moment_meant(value, datetime(2000, 1, 1, tzinfo=UTC))
    return value


BOUNDS = ("took", "waited", "attempts")
_NAMES = "write a name, or several with commas; * and ? are any characters"
_SPANS = "write 2s, 300ms, 5m or 1h, behind > or <"
_TIMES = "write 15m, 1h or 2d (ago), 14:00, 2026-12-01 or 2026-12-01T14:00"
FILTERS: Mapping[str, tuple[Callable[[str], str], str]] = {
    **dict.fromkeys(("task", "queue", "worker", "error"), (_names, _NAMES)),
    "state": (lambda value: _names(value.lower(), STATES), f"write {', '.join(STATES)}"),
    "took": (_bounded("took"), _SPANS),
    "waited": (_bounded("waited"), _SPANS),
    "attempts": (_bounded("attempts"), "write 3, >1 or <=2"),
    **dict.fromkeys(("since", "until"), (_time, _TIMES)),
    "sort": (lambda value: SORTS[SORTS.index(value.lower())], f"write one of {', '.join(SORTS)}"),
}
"""What each filter's value is read by, and what to write for a wrong one."""
