"""When a schedule is due, in words: `weekdays at 09:00 (Europe/Berlin)`.

Different moments have different words. Where there are none for them, its declaration says it.
"""

import re
from collections.abc import Sequence
from datetime import timedelta

from ..errors import SettingsMistake
from ..schedules import cron
from .cron_words import words_of

_CRON = re.compile(r"(.+) \(m/h/dM/MY/d\)(?: (.+))?")
_EVERY = re.compile(r"every (?:(\d{1,9}) days?, )?(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{6}))?")
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def in_words(when: str) -> str:
    """The words of `ScheduleInfo.when`; its fields, if there are none."""
    if found := _EVERY.fullmatch(when):
        days, hours, minutes, seconds, micros = (int(part or 0) for part in found.groups())
        return _period(timedelta(days, seconds, micros, 0, minutes, hours))
    if found := _CRON.fullmatch(when):
        moments = _moments(found[1])
        words = moments and (words_of(moments) or found[1])
        return f"{words}{f' ({found[2]})' if found[2] else ''}" if words else when
    return when


def _period(period: timedelta) -> str:
    for unit, seconds in _UNITS:
        n, rest = divmod(period, timedelta(seconds=seconds))
        if n and not rest:
            return f"every {unit}" if n == 1 else f"every {n:,} {unit}s"
    return f"every {period.total_seconds()} seconds" if period < timedelta(minutes=1) else f"every {period}"


def _moments(text: str) -> cron.Moments | None:
    """What five fields mean, as a declaration shows them: each may be a list or a set with blanks in it."""
    fields = _split(re.sub(r"\s*([-/,])\s*", r"\1", text))
    if len(fields) != len(_FIELDS):
        return None
    try:
        return cron.moments(**dict(zip(_FIELDS, fields, strict=True)))
    except SettingsMistake:  # a field of another form: its repr() is no field
        return None


def _split(text: str) -> Sequence[str]:
    return [re.sub(r"[][{}()'\"]", "", field) for field in text.split()]
