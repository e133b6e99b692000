"""Moments in words, for readers in a time zone."""

from __future__ import annotations

from datetime import datetime
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
    """`in 3 hours`, `10 minutes ago`, `now`: rounded, in the largest fitting unit."""
    seconds = round((at - now).total_seconds())
    if seconds == 0:
        return "now"
    unit, length = next((unit, length) for unit, length, least in UNITS if abs(seconds) >= least)
    count = round(abs(seconds) / length)
    words = f"{count} {unit}{'s' if count != 1 else ''}"
    return f"in {words}" if seconds > 0 else f"{words} ago"
