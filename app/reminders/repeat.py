"""The times of a repeating reminder: wall times of one zone, kept over clock changes."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Repeat(StrEnum):
    """How often a reminder is sent."""

    NEVER = "never"
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def following(repeat: Repeat, start: datetime, zone: ZoneInfo, after: datetime) -> datetime:
    """The first time of the series that began at *start* which is later than *after*.

    As in a form, a time that clocks skip moves by the gap, and of two equal times the first one is used.
    """
    first = start.astimezone(zone)
    wall = first.time().replace(fold=0)
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        at = datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)
        if at > after and _falls_on(repeat, first.date(), day):
            return at
        day += timedelta(days=1)


def _falls_on(repeat: Repeat, first: date, day: date) -> bool:
    match repeat:
        case Repeat.DAILY:
            return True
        case Repeat.WEEKDAYS:
            return day.weekday() < 5
        case Repeat.WEEKLY:
            return day.weekday() == first.weekday()
        case Repeat.MONTHLY:
            return day.day == min(first.day, monthrange(day.year, day.month)[1])
        case Repeat.NEVER:
            raise ValueError("it does not repeat")


def spelled(repeat: Repeat, start: datetime, zone: ZoneInfo) -> str:
    """The rule: `every Friday at 09:00 (Europe/Berlin)`."""
    first = start.astimezone(zone)
    clock = f"{first:%H:%M}" if not first.second else f"{first:%H:%M:%S}"
    days = {
        Repeat.DAILY: "every day",
        Repeat.WEEKDAYS: "every weekday",
        Repeat.WEEKLY: f"every {first:%A}",
        Repeat.MONTHLY: f"on the {ordinal(first.day)} of every month",
    }
    short = ", the last day of shorter months," if repeat == Repeat.MONTHLY and first.day > 28 else ""
    return f"{days[repeat]}{short} at {clock} ({zone.key})"


def ordinal(number: int) -> str:
    """`1st`, `22nd`, `13th`."""
    ending = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
