"""Convert what a person types to a moment, and back: zones, clock changes, "in 3 hours"."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from jobs.monitor_site.web.messages import Message, Refused

LOCAL = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.0{1,3})?)?")
FURTHEST_YEARS = 10
MORNING = time(9)


class NotATime(Refused):
    """The typed text is no moment that a reminder can have. The message is for the person who typed it."""


@dataclass(frozen=True)
class Moment:
    """A moment in UTC, and a note about it, for example on a clock change."""

    at: datetime
    note: Message | None = None


def read(typed: str, zone: ZoneInfo, now: datetime) -> Moment:
    """The moment of a date-time field (`2026-12-01T10:30`, seconds allowed) in *zone*. NotATime if it is invalid."""
    found = LOCAL.fullmatch(typed.strip())
    if found is None:
        raise NotATime("no-time", "Enter a date and time, like 2026-12-01 10:30.")
    try:
        local = datetime(*(int(part or 0) for part in found.groups()), tzinfo=zone)  # type: ignore[misc,arg-type]
        at = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotATime("no-such-time", f"{typed.strip()[:20]} does not exist. Check the date and time.") from None
    if at.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise NotATime(
            "clocks-forward",
            f"Clocks in {zone.key} go forward that night, so {local:%H:%M} does not exist on "
            f"{local:%-d %B %Y}. The next valid time is {at.astimezone(zone):%H:%M}.",
        )
    if at <= now:
        raise NotATime("past", "That time is in the past. Choose a later one.")
    if at > _years_after(now, FURTHEST_YEARS):
        raise NotATime("too-far", f"That time is too far away. The limit is {FURTHEST_YEARS} years ahead.")
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        return Moment(
            at,
            Message(
                "clocks-back",
                f"Clocks in {zone.key} go back that night, so {local:%H:%M} occurs twice. The first one is used.",
            ),
        )
    return Moment(at)


def morning(zone: ZoneInfo, now: datetime, *, days: int) -> datetime:
    """9:00 in *zone*, this number of days after today."""
    day = (now.astimezone(zone) + timedelta(days=days)).date()
    return datetime.combine(day, MORNING, tzinfo=zone).astimezone(UTC)


def wait(seconds: int) -> str:
    """`40 seconds`, `90 minutes`, `3 hours`: rounded up, for sentences such as "Try again in ..."."""
    size, unit = (3600, "hour") if seconds > 7200 else (60, "minute") if seconds >= 60 else (1, "second")
    count = -(-seconds // size)
    return f"{count} {unit}{'s' if count != 1 else ''}"


def plus_months(at: datetime, months: int) -> datetime:
    """The same wall time *months* later, on the last day of a shorter month."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))


def _years_after(moment: datetime, years: int) -> datetime:
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:  # 29 February
        return moment.replace(year=moment.year + years, day=28)
