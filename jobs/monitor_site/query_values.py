"""What may be written as the value of each filter of a query, and what it means."""

import re
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from .model.wanted import STATES

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"([<>]=?|=)? *(\d{1,5}(?:\.\d{1,3})?)(ms|s|m|h|d)?", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def bound(value: str) -> tuple[str, float, bool]:
    """A comparison, its limit, in seconds if it has a unit, and whether it has one."""
    if not (match := _SPAN.fullmatch(value)):
        raise ValueError(value)
    return match[1] or "=", float(match[2]) * _SECONDS[match[3] or "s"], match[3] is not None


def moment_meant(value: str, now: datetime, after: datetime | None = None) -> datetime | None:
    """The time that is meant, by the clocks of the zone of *now*: of an `until` the next one *after* its `since`."""
    if not value:
        return None
    if value[-1] in "smhd":
        return now - timedelta(seconds=bound(value)[1])
    if match := _CLOCK.fullmatch(value):
        base = after.astimezone(now.tzinfo) if after else now
        at = base.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return at + timedelta(days=at < after) if after else at - timedelta(days=at > now)
    at = datetime.fromisoformat(value)
    at += timedelta(days=1, milliseconds=-1) if after and len(value) == len("2026-12-01") else timedelta()  # all of it
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def _listed(value: str, known: Container[str] | None = None) -> str:
    names = [name.strip() for name in value.split(",")]
    if not all(name in known if known else name for name in names):
        raise ValueError(value)
    return ",".join(names)


def _bounded(value: str, has_unit: bool) -> str:
    if bound(value)[2] is not has_unit or (has_unit and value[0].isdigit()):
        raise ValueError(value)
    return value


def _time(value: str) -> str:
    at = moment_meant(value, datetime(2026, 1, 1, tzinfo=UTC))
    if value[:1] in "<>=" or at is None or not 1970 < at.year < 2200:
        raise ValueError(value)
    return value


class Filter(NamedTuple):
    read: Callable[[str], str]  # ValueError: a wrong value.
    advice: str
    repeats: bool = False


NAMES = ("task", "queue", "worker", "error")
_NAMES = Filter(_listed, "a name, or several with commas; * and ? are any characters")
_SPANS = Filter(lambda value: _bounded(value, True), "2s, 300ms, 5m or 1h, behind > or <", repeats=True)
_TIMES = Filter(_time, "15m, 1h or 2d (ago), 14:00, 2026-12-01 or 2026-12-01T14:00")
SORTS = ("newest", "oldest", "took", "waited", "started")
FILTERS: Mapping[str, Filter] = {
    **dict.fromkeys(NAMES, _NAMES),
    "state": Filter(lambda value: _listed(value.lower(), STATES), ", ".join(STATES)),
    **dict.fromkeys(("took", "waited"), _SPANS),
    "attempts": Filter(lambda value: _bounded(value, False), "3, >1 or <=2", repeats=True),
    **dict.fromkeys(("since", "until"), _TIMES),
    "sort": Filter(lambda value: SORTS[SORTS.index(value.lower())], f"one of {', '.join(SORTS)}"),
}
