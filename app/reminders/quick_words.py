"""Read a moment in words: `fri 9:00`, `in 2h`, `tomorrow 8am`, `next week`, `24 dec 18:00`. English only.

What is read is always shown as a full date before it is saved, so a short phrase may be read in the likely way.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.times import MORNING, NotATime, plus_months

LONGEST = 60  # characters
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
SPELLED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
COUNTED = re.compile(
    rf"([0-9]{{1,4}}|(?:an?|{'|'.join(SPELLED)})(?= )) ?"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|months?)(?![a-z])"
)
IN = re.compile(rf"(?:in )?{COUNTED.pattern}(?: ?(?:and )?{COUNTED.pattern})?(?: from now)?")
CLOCK = re.compile(r"(?:at )?([0-9]{1,2})(?::([0-9]{2}))? ?(am|pm)?")
NAMED_TIMES = {"midnight": time(0), "noon": time(12), "morning": MORNING, "in the morning": MORNING}
NAMED_TIMES |= {"evening": time(18), "night": time(20)}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAY = re.compile(r"(?:on |this )?(next )?(mon|tue|wed|thu|fri|sat|sun)(?:s|nes|rs|ur)?(?:day)?")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NUMBERS = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})|([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})?")
SLASHES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})(?:/([0-9]{4}))?")
DAY, MONTH = r"([0-9]{1,2})(?:st|nd|rd|th)?", rf"({'|'.join(MONTHS)})[a-z]*"
IN_MONTH = re.compile(rf"(?:on )?(?:the )?(?:{DAY} (?:of )?{MONTH}|{MONTH} {DAY})(?: ([0-9]{{4}}))?")

UNCLEAR = (
    'That is not clear. Write it like "fri 9:00", "in 2 hours", "tomorrow 8am", "24 dec 18:00" or "every monday 9:00".'
)
TWO_DAYS = '{0} is two days: write "{1} {2}" or "{3} {4}".'


def read(typed: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment as a wall clock in *zone* shows it, without a zone. Also one in the past. NotATime: not understood."""
    words = " ".join(typed.lower().replace(",", " ").split()).replace("tonight", "today night")
    words = re.sub(r"([0-9])t([0-9])", r"\1 \2", words)  # 2026-12-24T18:00
    here = now.astimezone(zone).replace(tzinfo=None, microsecond=0)
    if len(words) > LONGEST or not words:
        raise NotATime("unclear", UNCLEAR)
    try:
        found = _counted(words, zone, now) or _day_and_time(words.split(), here)
    except NotATime:
        raise
    except (ValueError, OverflowError):  # 31 February, 25:00
        found = None
    if found is None:
        raise NotATime("unclear", UNCLEAR)
    return found


def _counted(words: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """`in 2 hours` counts real time, to the next full minute; days, weeks and months keep the wall time."""
    if not IN.fullmatch(words):
        return None
    here, parts = now.replace(microsecond=0), COUNTED.findall(words)
    if here.second and not any(unit[0] == "s" for _, unit in parts):
        here = here.replace(second=0) + timedelta(minutes=1)
    for count, unit in parts:
        n = int(count) if count.isdigit() else SPELLED.index(count) + 1 if count in SPELLED else 1
        if unit.startswith("mo"):
            here = plus_months(here.astimezone(zone), n)
        elif unit[0] in "dw":
            here = here.astimezone(zone) + timedelta(seconds=n * UNITS[unit[0]])
        else:
            here = here.astimezone(UTC) + timedelta(seconds=n * UNITS[unit[0]])
    return here.astimezone(zone).replace(tzinfo=None)


def _day_and_time(words: list[str], here: datetime) -> datetime | None:
    """A day, a time, or both in either order."""
    cuts = [(" ".join(words[:cut]), " ".join(words[cut:])) for cut in range(len(words), -1, -1)]
    for day, clock in [*cuts, *((clock, day) for day, clock in cuts)]:  # 12 dec 9 is the 12th
        at = _time(clock)
        if at is not None and (found := _on(day, at, here)):
            return found
    return None


def _on(day: str, at: time, here: datetime) -> datetime | None:
    """That time on that day. A day that comes again, without a year, is the next one that is not over."""
    today = here.date()
    if not day:
        return _first_after(here, at, (today, today + timedelta(days=1)))
    if found := WEEKDAY.fullmatch(day):
        ahead = timedelta(days=(WEEKDAYS.index(found[2]) - today.weekday()) % 7)
        if found[1]:
            return datetime.combine(_next_monday(today) + timedelta(days=WEEKDAYS.index(found[2])), at)
        return _first_after(here, at, (today + ahead, today + ahead + timedelta(days=7)))
    fixed = {"today": today, "tomorrow": today + timedelta(days=1), "next week": _next_monday(today)}
    fixed["day after tomorrow"] = fixed["the day after tomorrow"] = today + timedelta(days=2)
    fixed["next month"] = plus_months(here.replace(day=1), 1).date()
    if day in fixed:
        return datetime.combine(fixed[day], at)
    return _in_calendar(day, at, here)


def _in_calendar(day: str, at: time, here: datetime) -> datetime | None:
    if found := NUMBERS.fullmatch(day):
        year, month, number = found[1] or found[6], int(found[2] or found[5]), int(found[3] or found[4])
    elif found := SLASHES.fullmatch(day):
        year, (month, number) = found[3], _month_first(day, int(found[1]), int(found[2]))
    elif found := IN_MONTH.fullmatch(day):
        year, month = found[5], MONTHS.index(found[2] or found[3]) + 1
        number = int(found[1] or found[4])
    else:
        return None
    if year:
        return datetime.combine(date(int(year), month, number), at)
    years = (here.year + n for n in range(9) if month != 2 or number != 29 or _is_leap(here.year + n))
    return _first_after(here, at, [date(year, month, number) for year in years])


def _month_first(typed: str, one: int, other: int) -> tuple[int, int]:
    """Month and day of `12/31` and `31/12`. NotATime: either can be the month."""
    if one != other and 0 < one <= 12 and 0 < other <= 12:
        first, second = MONTHS[other - 1], MONTHS[one - 1]
        raise NotATime("two-days", TWO_DAYS.format(typed, one, first, other, second))
    return (one, other) if one <= 12 else (other, one)


def _time(words: str) -> time | None:
    """`9:00`, `9`, `9am`, `noon`. 9:00 if empty."""
    if not words:
        return MORNING
    if words.removeprefix("at ") in NAMED_TIMES:
        return NAMED_TIMES[words.removeprefix("at ")]
    found = CLOCK.fullmatch(words)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3] and 1 <= hour <= 12:
        hour = hour % 12 + 12 * (found[3] == "pm")
    elif found[3]:
        return None
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _first_after(here: datetime, at: time, days: tuple[date, ...] | list[date]) -> datetime | None:
    moments = (datetime.combine(day, at) for day in days)
    return next((moment for moment in moments if moment > here), None)


def _next_monday(today: date) -> date:
    return today + timedelta(days=7 - today.weekday())


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
