"""Which moments do cron's five fields name? Written as in Celery; where clocks change, by Debian cron's rule.

Pure arithmetic: no clock, no Redis. Day of month and day of week must both match, as in Celery.
"""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TypeAlias

from ..errors import SettingsMistake
from ..values import checks

Field: TypeAlias = int | str | Iterable[int | str]
"""5, "5", "1-5", "*/15", "1-30/2", "mon-fri", "22-4" (over the end), "*/2, 1", or a list of such."""

LONGEST_TEXT = 1_000


@dataclass(frozen=True)
class Moments:
    """The five fields, as the sorted values that each allows."""

    minute: tuple[int, ...]
    hour: tuple[int, ...]
    day_of_week: tuple[int, ...]  # 0 is Sunday, 6 Saturday.
    day_of_month: tuple[int, ...]
    month_of_year: tuple[int, ...]
    wild: bool  # Minute or hour is a wildcard: it goes by elapsed time, and clocks that change mean nothing special.

    def on(self, day: date) -> bool:
        fits = day.month in self.month_of_year and day.day in self.day_of_month
        return fits and day.isoweekday() % 7 in self.day_of_week


def moments(**given: Field) -> Moments:
    """Read the five fields, each `*` if it is not given; SettingsMistake: one is wrong, or they never meet."""
    found = {name: _values(name, given.get(name, "*")) for name in _FIELDS}
    if not any(found["day_of_month"][0] <= monthrange(2024, month)[1] for month in found["month_of_year"]):
        named = (f"{name}={checks.shown(given.get(name, '*'))}" for name in ("day_of_month", "month_of_year"))
        raise SettingsMistake(f"{', '.join(named)}: no such day exists")
    clock = given.get("minute", "*"), given.get("hour", "*")
    return Moments(**found, wild=any(isinstance(field, str) and field.lstrip().startswith("*") for field in clock))


def five(text: object) -> dict[str, Field]:
    """The fields of one text, in cron's order: `0 8 * * 1-5`. SettingsMistake: they are not five, or cron and Celery
    read them differently."""
    fields = text.split() if isinstance(text, str) and len(text) <= LONGEST_TEXT else ()
    if len(fields) != len(ORDER):
        what = "five fields with blanks between them: minute, hour, day of month, month, day of week, as '0 8 * * 1-5'"
        raise checks.refusal(SettingsMistake, "fields", text, what)
    found: dict[str, Field] = dict(zip(ORDER, fields, strict=True))
    if not any(str(found[day]).startswith("*") for day in ("day_of_month", "day_of_week")):
        raise SettingsMistake(
            f"fields={checks.shown(text)}: cron runs on either of the two days, here both must match. Write "
            "day_of_month= and day_of_week= for both, or two schedules for either"
        )
    return found


def next_after(due: Moments, zone: tzinfo, moment: datetime) -> datetime:
    """The first due moment later than *moment*, in UTC.

    A time of day that the clock jumps over is due right after the jump, once; one that it shows twice is due
    the first time. With a wildcard in minute or hour, whatever the clock really shows counts, also twice.
    """
    return (_next_wild if due.wild else _next_fixed)(due, zone, moment.astimezone(UTC))


def _next_fixed(due: Moments, zone: tzinfo, moment: datetime) -> datetime:
    wall = _wall(moment, zone)
    while True:
        wall = _next_wall(due, wall)
        found = wall.replace(tzinfo=zone).astimezone(UTC)
        if _wall(found, zone) != wall:  # the clock jumps over it
            found = _change(zone, found - timedelta(days=1), found)
        if found > moment:
            return found


def _next_wild(due: Moments, zone: tzinfo, moment: datetime) -> datetime:
    while True:
        wall = _next_wall(due, _wall(moment, zone))
        found = moment + (wall - _wall(moment, zone))  # if the clock does not change until then
        end = min(found, moment + timedelta(days=1))
        if _offset(end, zone) != _offset(moment, zone):
            moment = _change(zone, moment, end)
            shown = _wall(moment, zone)
            if _next_wall(due, shown - timedelta(minutes=1)) == shown:
                return moment
        elif end == found:
            return found
        else:
            moment = max(end, found - timedelta(days=2))


def _next_wall(due: Moments, after: datetime) -> datetime:
    """The next time that a clock on the wall shows, were it never changed."""
    day = after.date()
    if due.on(day):
        for hour in due.hour:
            for minute in due.minute:
                if (hour, minute) > (after.hour, after.minute):
                    return datetime.combine(day, time(hour, minute))
    day += timedelta(days=1)
    while not due.on(day):
        month_fits = day.month in due.month_of_year
        day = day + timedelta(days=1) if month_fits else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return datetime.combine(day, time(due.hour[0], due.minute[0]))


def _change(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """The second at which the clock changed, where it has changed once since *low*."""
    since, before = range(int((high - low).total_seconds()), -1, -1), _offset(low, zone)
    first = bisect_left(since, True, lo=1, key=lambda s: _offset(high - timedelta(seconds=s), zone) != before)
    return (high - timedelta(seconds=since[first])).replace(microsecond=0)


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _values(name: str, given: Field) -> tuple[int, ...]:
    parts: list[str] = []
    for item in given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]:
        is_number = isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 100
        text = str(int(item)) if is_number else item
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise _mistake(name, item)
        parts += re.sub(r"\s*([-/,])\s*", r"\1", text.strip()).split(",")
    if not parts:
        raise _mistake(name, given)
    values = {value for part in parts for value in _part(name, part)}
    return tuple(sorted({value % 7 for value in values} if name == "day_of_week" else values))


def _part(name: str, part: str) -> Sequence[int]:
    """One of 5, *, 1-5, mon-fri, 22-4 (over the end), and */2 or 1-30/2."""
    low, high, _ = _FIELDS[name]
    if (found := _RANGE.fullmatch(part)) is None:
        return [_number(name, part)]
    start, end = (_number(name, found[1]), _number(name, found[2])) if found[1] else (low, high)
    over = [*range(start, high + 1), *range(low, end + 1)]
    return (over if start > end else range(start, end + 1))[:: int(found[3] or 1)]


def _number(name: str, text: str) -> int:
    low, high, names = _FIELDS[name]
    if text.isalpha() and text[:3].lower() in names:
        return low + names.index(text[:3].lower())
    # 7 is a second name for Sunday, so that ranges such as 5-7 can be written
    if re.fullmatch("[0-9]{1,4}", text) and low <= int(text) <= (7 if name == "day_of_week" else high):
        return int(text)
    raise _mistake(name, text)


def _mistake(name: str, given: object) -> SettingsMistake:
    low, high, names = _FIELDS[name]
    forms = f"{low}-{high}, */2 or {low}-{high}/2, or a list of such"
    values = ", ".join([f"{low} to {high}", *names])
    return SettingsMistake(f"{name}: cannot read {checks.shown(given)}: its values are {values}; write one, {forms}")


ORDER = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")  # In one text, as cron has it.
_RANGE = re.compile(r"(?:\*|(\w+)-(\w+))(?:/(0*[1-9][0-9]{0,3}))?")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS: Mapping[str, tuple[int, int, tuple[str, ...]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day_of_week": (0, 6, _DAYS),
    "day_of_month": (1, 31, ()),
    "month_of_year": (1, 12, _MONTHS),
}
"""The least and the greatest value of each field, and the names of its values."""
