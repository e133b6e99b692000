"""Moments in words, for readers in a time zone."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from zoneinfo import ZoneInfo

UNITS = (  # name, its length in seconds, and the shortest distance that uses it
    ("year", 31_556_952, 2 * 31_556_952),
    ("month", 2_629_746, 3 * 2_629_746),
    ("day", 86_400, 2 * 86_400),
    ("hour", 3_600, 3_600),
    ("minute", 60, 60),
    ("second", 1, 1),
)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The moment in *zone*. Unchanged at the ends of the calendar, where the zone has no date for it."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at


def for_field(at: datetime, zone: ZoneInfo) -> str:
    """The value of a date-time field."""
    return local(at, zone).strftime("%Y-%m-%dT%H:%M:%S").removesuffix(":00")


def spelled(at: datetime, zone: ZoneInfo) -> str:
    """Day, time and zone: `Tuesday, 1 December 2026, 10:30 (Europe/Berlin)`. Seconds only if they are not 0."""
    here = local(at, zone)
    clock = here.strftime("%H:%M:%S").removesuffix(":00") if here.second else here.strftime("%H:%M")
    return f"{here:%A, %-d %B} {here.year}, {clock} ({here.tzinfo})"


def clock(at: datetime, zone: ZoneInfo) -> str:
    """`10:30:05`."""
    return f"{local(at, zone):%H:%M:%S}"


def day(at: datetime, zone: ZoneInfo) -> str:
    """`1 December 2026`."""
    here = local(at, zone)
    return f"{here:%-d %B} {here.year}"  # %Y gives 1 or 0001, depending on the platform


def distance(at: datetime, now: datetime) -> str:
    """`in 1 hour 30 minutes`, `10 minutes ago`, `now`: up to two units, and months and years rounded."""
    seconds = ceil((at - now).total_seconds())
    if seconds == 0:
        return "now"
    words = _length(abs(seconds))
    return f"in {words}" if seconds > 0 else f"{words} ago"


def _length(seconds: int) -> str:
    if seconds >= 120:
        seconds -= seconds % 60
    place, (unit, length, _) = next((n, row) for n, row in enumerate(UNITS) if seconds >= row[2])
    if unit in ("year", "month"):  # of no fixed length
        return _counted(round(seconds / length), unit)
    count, rest = divmod(seconds, length)
    smaller, its_length, _ = UNITS[min(place + 1, len(UNITS) - 1)]
    more = rest // its_length
    return _counted(count, unit) + (f" {_counted(more, smaller)}" if more else "")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' if count != 1 else ''}"
