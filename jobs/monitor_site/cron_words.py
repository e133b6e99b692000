"""The five fields of cron in words, as far as these are short."""

from collections.abc import Sequence

from ..schedules.cron import Moments

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_NAMED = {(1, 2, 3, 4, 5): "weekdays", (0, 6): "weekends"}
MOST = 6  # Times, days or months that are listed.


def words_of(due: Moments) -> str:
    """`every 5 minutes`, `weekdays at 09:00`; '' where there are no short words for exactly these moments."""
    clock, is_at = _clock(due)
    days, dates, months = _days(due.day_of_week), _dates(due.day_of_month), _months(due.month_of_year)
    if not clock or None in (days, dates, months):
        return ""
    on = " ".join(filter(None, (days, dates)))
    words = [f"{on or 'daily'} {clock}"] if is_at else [clock, on]
    return ", ".join(filter(None, (*words, months)))


def _clock(due: Moments) -> tuple[str, bool]:
    """The times of a day, and whether they are single ones. Where clocks change, those of a wildcard go by the time
    that has passed: only words of a rhythm mean that."""
    minutes, hours = due.minute, due.hour
    rhythm, all_day = _every(minutes, 60, "minute"), len(hours) == 24
    if due.wild and rhythm:
        if all_day:
            return rhythm, False
        if _is_range(hours):
            return f"{rhythm} from {hours[0]:02}:00 to {hours[-1]:02}:{minutes[-1]:02}", False
    if due.wild and len(minutes) == 1 and (each := _every(hours, 24, "hour")):
        return f"{each} at minute {minutes[0]}", False
    if due.wild and all_day and len(minutes) <= MOST:
        return f"every hour at minutes {_listed(minutes)}", False
    if not due.wild and len(minutes) == 1 and len(hours) > MOST // 2 and _is_range(hours):
        return f"every hour from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[0]:02}", False
    if not due.wild and len(minutes) * len(hours) <= MOST:
        return f"at {_listed([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}", True
    return "", False


def _every(values: Sequence[int], size: int, unit: str) -> str:
    """`every 5 minutes`, if the values are all multiples of a part of *size*."""
    step = size // len(values)
    if len(values) == 1 or list(values) != list(range(0, size, step)):
        return ""
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def _days(days: Sequence[int]) -> str | None:
    if len(days) == 7:
        return ""
    if named := _NAMED.get(tuple(days)):
        return named
    in_week = sorted(days, key=lambda day: day or 7)  # from Monday on
    return _listed([f"{_DAYS[day]}s" for day in in_week])


def _dates(dates: Sequence[int]) -> str | None:
    if len(dates) == 31:
        return ""
    if len(dates) > 2 and _is_range(dates):
        return f"on days {dates[0]} to {dates[-1]} of the month"
    return f"on day{'s' if len(dates) > 1 else ''} {_listed(dates)} of the month" if len(dates) <= MOST else None


def _months(months: Sequence[int]) -> str | None:
    return "" if len(months) == 12 else f"in {_listed([_MONTHS[month - 1] for month in months])}"


def _is_range(values: Sequence[int]) -> bool:
    return len(values) > 1 and values[-1] - values[0] == len(values) - 1


def _listed(items: Sequence[object]) -> str:
    """`a, b and c`."""
    *rest, last = map(str, items)
    return f"{', '.join(rest)} and {last}" if rest else last
