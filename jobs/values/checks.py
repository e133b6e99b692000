"""Values of options. Each check takes the option's name and its value, and returns the value that is meant.

A value of the wrong kind is a TypeError, one out of range a WrongValue, and in a declaration both a SettingsMistake.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from difflib import get_close_matches
from math import inf, nan
from numbers import Integral, Real
from typing import Any, TypeAlias, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import EncodingError, SettingsMistake, WrongValue
from .short_text import text

MOST_SECONDS = 1e11
"""About 3,000 years: with it a due time is still a date, and a number that Redis keeps exactly."""
MOST_COUNT = 2**31 - 1
SECONDS = "seconds, as a number or a timedelta"
LONGEST_NAME = 512
LONGEST_SPAN = timedelta(days=36_600)
shown = text
"""How a message shows a value."""

Check: TypeAlias = Callable[[str, Any], Any]
T = TypeVar("T")


def number(
    option: str, value: Any, *, least: float = 0, above: float = -inf, most: float = 1e15, what: str = "a number"
) -> float:
    """A finite number; never text or a bool."""
    plain = value
    if type(value) not in (int, float):
        if not isinstance(value, Real | Decimal) or isinstance(value, bool):
            raise _kind(option, value, f"give {what}")
        try:
            plain = float(value)
        except Exception:  # of another library's type, too
            plain = nan
    if not (least <= plain <= most and plain > above):  # nan is in no range
        low = f"above {above:,.15g}" if above >= least else f"at least {least:,.15g}"
        raise out_of_range(option, value, f"give {what}, {low} and at most {most:,.15g}")
    return cast(float, plain)


def seconds(
    option: str, value: Any, *, least: float = -MOST_SECONDS, above: float = -inf, what: str = SECONDS
) -> float:
    plain = value.total_seconds() if isinstance(value, timedelta) else value
    return number(option, plain, least=least, above=above, most=MOST_SECONDS, what=what)


def count(option: str, value: Any, *, least: int = 0, most: int = MOST_COUNT) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise _kind(option, value, "give a whole number")
    return int(number(option, int(value), least=least, most=most, what="a whole number"))


def flag(option: str, value: Any) -> bool:
    """True or False, and not what only reads like it."""
    return _is(bool, option, value, "give True or False")


def storable(option: str, value: Any) -> str:
    """Text that Redis can keep: any that is no half of a surrogate pair."""
    given = _is(str, option, value, "give text")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise out_of_range(option, value, "give text that can be encoded as UTF-8") from None
    return given


def job_id(option: str, value: Any) -> str:
    given = _is(str, option, str(value) if isinstance(value, UUID) else value, "give text or a UUID")
    if not 0 < len(given) <= LONGEST_NAME or not given.isprintable():
        raise out_of_range(option, value, f"give 1 to {LONGEST_NAME} printable characters")
    return given


def name(option: str, value: Any) -> str:
    """The name of a task, a queue or a schedule: workers report names with commas between them, one a line."""
    if "," in _is(str, option, value, "give a name as text"):
        raise out_of_range(option, value, "give a name without a comma")
    return job_id(option, value)


def queue(option: str, value: Any) -> str:
    """The name of a queue. One that begins with = stands for a key that arq was given as a queue: only arq gives it."""
    queue = name(option, value)
    if queue.startswith("="):
        raise out_of_range(option, value, "give a name without = before it; a key of arq's goes to _queue_name=")
    return queue


def names(option: str, value: Any) -> tuple[str, ...]:
    return tuple(name(option, one) for one in items(option, value, "a list of names, such as ['mail']"))


def items(option: str, value: Any, what: str) -> tuple[Any, ...]:
    """The items of a list; text and a dict are none."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping) or not isinstance(value, Iterable):
        raise _kind(option, value, f"give {what}")
    return tuple(value)


def moment(option: str, value: Any) -> datetime:
    """A datetime that is a point in time."""
    at = _is(datetime, option, value, "give a datetime, such as datetime.now() + timedelta(hours=1)")
    try:
        at.timestamp()
    except Exception:  # the zone may be another library's
        raise out_of_range(option, value, "give a datetime between the years 1 and 9999") from None
    return at


def seconds_or_moment(option: str, value: Any) -> float | datetime:
    if isinstance(value, datetime):
        return moment(option, value)
    return seconds(option, value, what=f"{SECONDS}, or a datetime")


def zone(option: str, value: Any) -> tzinfo:
    """A time zone, or the name of one. Those of pytz become a ZoneInfo: as they are, their clock shows wrong times."""
    if isinstance(value, ZoneInfo):
        return value
    named = value if isinstance(value, str) else getattr(value, "zone", None)
    if isinstance(named, str):
        try:
            return ZoneInfo(named)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise WrongValue(f"{option}={shown(value)} is not a time zone such as Europe/Berlin or UTC") from None
    if not isinstance(value, tzinfo):
        raise _kind(option, value, "give a ZoneInfo, or the name of a time zone such as 'Europe/Berlin'")
    return value


def span(option: str, value: Any, *, least: timedelta = timedelta(0)) -> timedelta:
    give = f"write a time span such as timedelta(seconds=30), from {least} to {LONGEST_SPAN}"
    if not least <= _is(timedelta, option, value, give) <= LONGEST_SPAN:
        raise out_of_range(option, value, give)
    return cast(timedelta, value)


def exceptions(option: str, value: Any) -> tuple[type[BaseException], ...]:
    several = value if isinstance(value, tuple | list | set | frozenset) else (value,)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in several):
        raise _kind(option, value, "give exception classes, such as (OSError, KeyError)")
    return tuple(several)


def function(option: str, value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise _kind(option, value, "give a function")
    return cast(Callable[..., Any], value)


def positional(option: str, value: Any) -> tuple[Any, ...]:
    """The positional arguments of a call; None is none."""
    if type(value) is tuple:
        return value
    what = "a tuple or list of positional arguments: (4,) is one argument"
    if isinstance(value, set | frozenset):
        raise _kind(option, value, f"give {what}")
    return () if value is None else items(option, value, what)


def by_name(option: str, value: Any) -> dict[str, Any]:
    """The arguments of a call by name; None is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _kind(option, value, "give a dict of arguments by name")
    if not all(type(name) is str for name in value):
        raise _kind(option, value, "the name of a parameter is a text")
    return dict(value)


def or_none(check: Callable[..., Any], **limits: Any) -> Check:
    """The same check with limits, which also takes None."""

    def checked(option: str, value: Any) -> Any:
        if value is None:
            return None
        try:
            return check(option, value, **limits)
        except (TypeError, WrongValue) as error:
            raise type(error)(f"{error}; or None") from None

    return checked


def hint(option: str, known: Sequence[str]) -> str:
    """What was probably meant by a name that does not exist: one that is near, else those that there are, up to 40."""
    if near := get_close_matches(option, known, n=1, cutoff=0.75):
        return f"did you mean {near[0]!r}?"
    more = f" and {len(known) - 40:,} more" if len(known) > 40 else ""
    return f"there are: {', '.join(sorted(known)[:40])}{more}"


@contextlib.contextmanager
def as_settings_mistake(where: str = "") -> Iterator[None]:
    """A wrong value in a declaration is a SettingsMistake."""
    try:
        yield
    except (TypeError, WrongValue, EncodingError) as error:
        raise SettingsMistake(f"{where}{error}") from None


def _is(kind: type[T], option: str, value: Any, give: str) -> T:
    if not isinstance(value, kind):
        raise _kind(option, value, give)
    return value


def _kind(option: str, value: object, give: str) -> TypeError:
    return TypeError(f"{option}={shown(value)}: {give}")


def out_of_range(option: str, value: object, give: str) -> WrongValue:
    return WrongValue(f"{option}={shown(value)}: {give}")
