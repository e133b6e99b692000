"""Values of options. Each check takes the option's name and its value, and returns the value that is meant.

A value of the wrong kind is a TypeError, one out of range a WrongValue, and in a declaration both a SettingsMistake.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from difflib import get_close_matches
from math import nan
from numbers import Integral, Real
from typing import Any, TypeAlias, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import EncodingError, SettingsMistake, WrongValue
from .short_text import text

MOST_SECONDS = 1e11  # About 3,000 years: with it a due time is still a date, and a number that Redis keeps exactly.
LEAST_SECONDS = 0.001  # Of a time that cannot be 0: times are kept in ms.
MOST_COUNT = 2**31 - 1
SECONDS = "seconds, as a number or a timedelta"
LONGEST_NAME = 512
LONGEST_SPAN = timedelta(days=36_600)
HALF = re.compile("[\ud800-\udfff]")  # Half of a surrogate pair, which Redis cannot keep.
shown = text  # How a message shows a value.

Check: TypeAlias = Callable[[str, Any], Any]
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def of_class(kind: type[T], what: str) -> Callable[[str, Any], T]:
    """Takes objects of this class alone. *what* is the right value in words."""

    def check(option: str, value: Any) -> T:
        if not isinstance(value, kind):
            raise refusal(TypeError, option, value, what)
        return value

    return check


def narrowed(check: Callable[[str, Any], T], fits: Callable[[T], object], what: str) -> Callable[[str, Any], T]:
    """Of what *check* takes only that of which *fits* is true."""

    def narrower(option: str, value: Any) -> T:
        if not fits(meant := check(option, value)):
            raise refusal(WrongValue, option, value, what)
        return meant

    return narrower


def or_none(check: Callable[..., T], **limits: Any) -> Callable[[str, Any], T | None]:
    """None too."""
    return lambda option, value: None if value is None else check(option, value, **limits)


def list_of(check: Callable[[str, Any], T], what: str) -> Callable[[str, Any], tuple[T, ...]]:
    """The items of a list, each of which *check* takes."""
    return lambda option, value: tuple(check(option, one) for one in items(option, value, f"a list of {what}"))


def number(option: str, value: Any, *, least: float = 0, most: float = 1e15, what: str = "a number") -> float:
    """A finite number; never text or a bool."""
    is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
    if not is_number:
        raise refusal(TypeError, option, value, what)
    try:
        plain = value if type(value) in (int, float) else float(value)
    except Exception:  # of another library's type, too
        plain = nan
    if not least <= plain <= most:  # nan is in no range
        raise refusal(WrongValue, option, value, f"{what}, from {least:,.15g} to {most:,.15g}")
    return cast(float, plain)


def seconds(option: str, value: Any, *, least: float = -MOST_SECONDS, what: str = SECONDS) -> float:
    plain = value.total_seconds() if isinstance(value, timedelta) else value
    return number(option, plain, least=least, most=MOST_SECONDS, what=what)


def count(option: str, value: Any, *, least: int = 0, most: int = MOST_COUNT) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise refusal(TypeError, option, value, "a whole number")
    return int(number(option, int(value), least=least, most=most, what="a whole number"))


def job_id(option: str, value: Any) -> str:
    given = _text(option, str(value) if isinstance(value, UUID) else value)
    if not 0 < len(given) <= LONGEST_NAME or not given.isprintable():
        raise refusal(WrongValue, option, value, f"1 to {LONGEST_NAME} printable characters")
    return given


_text = of_class(str, "text")
flag = of_class(bool, "True or False")
mapping = of_class(Mapping, "a dict")  # type: ignore[type-abstract]
storable = narrowed(_text, lambda text: not HALF.search(text), "text that UTF-8 can encode")
name = narrowed(job_id, lambda text: "," not in text, "a name without a comma")
"""The name of a task, a queue or a schedule: workers report names with commas between them, one a line."""
queue = narrowed(name, lambda text: text[0] != "=", "a name without = before it; a key of arq's goes to _queue_name=")
"""The name of a queue. One that begins with = stands for a key that arq was given as a queue: only arq gives it."""
names = list_of(name, "names, such as ['mail']")


def items(option: str, value: Any, what: str) -> tuple[Any, ...]:
    """The items of a list; text and a dict are none."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping) or not isinstance(value, Iterable):
        raise refusal(TypeError, option, value, what)
    return tuple(value)


def moment(option: str, value: Any) -> datetime:
    """A datetime that is a point in time."""
    at = of_class(datetime, "a datetime, such as datetime.now() + timedelta(hours=1)")(option, value)
    try:
        at.timestamp(), at.astimezone(UTC)
    except Exception:  # the zone may be another library's
        raise refusal(WrongValue, option, value, "a datetime between the years 1 and 9999") from None
    return at


def seconds_or_moment(option: str, value: Any) -> float | datetime:
    if isinstance(value, datetime):
        return moment(option, value)
    return seconds(option, value, what=f"{SECONDS}, or a datetime")


def zone(option: str, value: Any) -> tzinfo:
    """A time zone, or the name of one. Those of pytz become a ZoneInfo: as they are, their clock shows wrong times."""
    named = value if isinstance(value, str) else getattr(value, "zone", None)
    if isinstance(named, str):
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(named)
    what = "a ZoneInfo, or the name of a time zone such as 'Europe/Berlin'"
    return of_class(tzinfo, what)(option, value)  # type: ignore[type-abstract]


def span(option: str, value: Any, *, least: timedelta = timedelta(0)) -> timedelta:
    what = f"a time span such as timedelta(seconds=30), from {least} to {LONGEST_SPAN}"
    return narrowed(of_class(timedelta, what), lambda given: least <= given <= LONGEST_SPAN, what)(option, value)


def exceptions(option: str, value: Any) -> tuple[type[BaseException], ...]:
    several = value if isinstance(value, tuple | list | set | frozenset) else (value,)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in several):
        raise refusal(TypeError, option, value, "exception classes, such as (OSError, KeyError)")
    return tuple(several)


def function(option: str, value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise refusal(TypeError, option, value, "a function")
    return cast("Callable[..., Any]", value)


def positional(option: str, value: Any) -> tuple[Any, ...]:
    """The positional arguments of a call; None is none."""
    if type(value) is tuple:
        return value
    what = "a tuple or list of positional arguments: (4,) is one argument"
    if isinstance(value, set | frozenset):
        raise refusal(TypeError, option, value, what)
    return () if value is None else items(option, value, what)


def by_name(option: str, value: Any) -> dict[str, Any]:
    """The arguments of a call by name; None is none."""
    given = {} if value is None else mapping(option, value)
    if not all(type(name) is str for name in given):
        raise refusal(TypeError, option, value, "texts as the names of parameters")
    return dict(given)


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


def refusal(kind: type[E], option: str, value: object, what: str) -> E:
    """The error of a wrong value; *what* is to be given instead."""
    return kind(f"{option}={shown(value)}: give {what}")
