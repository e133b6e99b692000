"""Which moments do cron's five fields name? Written as in Celery; where clocks change, by Debian cron's rule.

Pure arithmetic: no clock, no Redis. Day of month and day of week must both match, as in Celery.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TypeAlias

from ..errors import SettingsMistake
from ..values import checks

Field: TypeAlias = int | str | Iterable[int | str]
"""5, "5", "1-5", "*/15", "1-30/2", "mon-fri", "22-4" (over the end), "*/2, 1", or a list of such."""

LONGEST_TEXT = 1_000
_LONGEST = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)}


@dataclass(frozen=True)
class Moments:
    """The five fields, as the sorted values that each allows."""

    minute: tuple[int, ...]
    hour: tuple[int, ...]
    day_of_week: tuple[int, ...]
    """0 is Sunday, 6 Saturday."""
    day_of_month: tuple[int, ...]
    month_of_year: tuple[int, ...]
    wild: bool
    """Minute or hour is a wildcard: it goes by elapsed time, and clocks that change mean nothing special."""

    def on(self, day: date) -> bool:
        return (
            day.month in self.month_of_year
            and day.day in self.day_of_month
            and day.isoweekday() % 7 in self.day_of_week
        )


def moments(**given: Field) -> Moments:
    """Read the five fields, each `*` if it is not given; SettingsMistake: one is wrong, or they never meet."""
    found = {reader.name: reader.values(given.get(reader.name, "*")) for reader in _READERS}
    days, months = found["day_of_month"], found["month_of_year"]
    if not any(days[0] <= _LONGEST[month] for month in months):
        named = (f"{name}={checks.shown(given.get(name, '*'))}" for name in ("day_of_month", "month_of_year"))
        raise SettingsMistake(f"{', '.join(named)}: no such day exists")
    clock = given.get("minute", "*"), given.get("hour", "*")
    return Moments(**found, wild=any(isinstance(field, str) and field.lstrip().startswith("*") for field in clock))


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


@dataclass(frozen=True)
class _Reader:
    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)

    def values(self, given: Field) -> tuple[int, ...]:
        parts: list[str] = []
        for item in given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]:
            if isinstance(item, bool) or not isinstance(item, int | str):
                raise self._mistake(given, "it takes numbers and text")
            if (len(item) if isinstance(item, str) else item.bit_length() / 3) > LONGEST_TEXT:
                raise self._mistake(given, f"more than {LONGEST_TEXT} characters")
            parts += re.sub(r"\s*([-/,])\s*", r"\1", str(item).strip()).split(",")
        if not parts:
            raise self._mistake(given, "nothing is in it; leave it out for every value")
        values = {value for part in parts for value in self._part(part)}
        return tuple(sorted({value % 7 for value in values} if self.name == "day_of_week" else values))

    def _part(self, part: str) -> Sequence[int]:
        """One of *, 5, 1-5, mon-fri, 22-4 (over the end), and */2 or 1-30/2."""
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if slash and not (_NUMBER.fullmatch(step) and int(step)):
            raise self._mistake(part, "after the slash comes a number from 1")
        if slash and not dash and span != "*":
            raise self._mistake(part, f"a step needs a range, as in */{step} or {span}-{self.high}/{step}")
        if span == "*":
            values: Sequence[int] = range(self.low, self.high + 1)
        elif dash:
            start, end = self._number(first), self._number(last)
            over = start > end
            values = [*range(start, (self.high if over else end) + 1), *range(self.low, (end if over else -1) + 1)]
        else:
            values = [self._number(span)]
        return values[:: int(step or 1)]

    def _number(self, text: str) -> int:
        value = self.names.get(text[:3].lower()) if text.isalpha() else None
        if value is None and _NUMBER.fullmatch(text):
            value = int(text)
        # 7 is a second name for Sunday, so that ranges such as 5-7 can be written
        if value is None or not self.low <= value <= (7 if self.name == "day_of_week" else self.high):
            names = f", {', '.join(self.names)}" if self.names else ""
            raise self._mistake(text, f"its values are {self.low} to {self.high}{names}")
        return value

    def _mistake(self, given: object, why: str) -> SettingsMistake:
        return SettingsMistake(f"{self.name}: cannot read {checks.shown(given)}: {why}")


_NUMBER = re.compile(r"[0-9]{1,4}")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_READERS = (
    _Reader("minute", 0, 59),
    _Reader("hour", 0, 23),
    _Reader("day_of_week", 0, 6, {name: n for n, name in enumerate(_DAYS)}),
    _Reader("day_of_month", 1, 31),
    _Reader("month_of_year", 1, 12, {name: n for n, name in enumerate(_MONTHS, 1)}),
)
