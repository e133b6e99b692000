"""`jobs/encoding.py` as version 0.1 was released: what it took is still taken, what it wrote is still read."""

from __future__ import annotations

import builtins
import contextlib
import traceback
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgpack

from jobs import errors
from jobs.errors import EncodingError, RemoteError

TRACEBACK_CHARACTERS = 8_000
"""A longer remote traceback keeps its end."""

Clock = TypeVar("Clock", datetime, time)

_known_exceptions: dict[str, type[BaseException]] = {}


def dumps(value: Any) -> bytes:
    """Encode; anything that cannot be encoded raises EncodingError naming its type."""
    try:
        return _pack(value)
    except EncodingError:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EncodingError(f"{type(value).__name__} cannot be encoded: {error}") from error


def loads(data: bytes) -> Any:
    """Decode; bytes that are not ours raise EncodingError."""
    try:
        return msgpack.unpackb(data, ext_hook=_untagged, strict_map_key=False)
    except Exception as error:  # whatever msgpack or a constructor makes of hostile bytes
        raise EncodingError(f"{len(data)} bytes that are not a value of ours: {error}") from error


def loads_job(data: bytes) -> Any:
    """Decode a call or a result in arq's shape, whose positional arguments are a tuple."""
    value = loads(data)
    if isinstance(value, dict) and isinstance(value.get("a"), list):
        value["a"] = tuple(value["a"])
    return value


def loads_cut(data: bytes) -> dict[str, Any]:
    """What can be read of a stored call whose end is cut off: the arguments before the cut."""
    reader = unpacker(data)
    found: dict[str, Any] = {"a": [], "k": {}}
    try:
        for _ in range(reader.read_map_header()):
            name = reader.unpack()
            if name == "a":
                for _ in range(reader.read_array_header()):
                    found["a"].append(reader.unpack())
            elif name == "k":
                for _ in range(reader.read_map_header()):
                    found["k"][reader.unpack()] = reader.unpack()
            else:
                found[name] = reader.unpack()
    except Exception:  # the cut, or bytes that are nobody's: what was read stands
        return found
    return found


def unpacker(data: bytes) -> Any:
    """What reads *data* piece by piece, and can pass over pieces: a msgpack.Unpacker."""
    reader: Any = msgpack.Unpacker(ext_hook=_untagged, strict_map_key=False, max_buffer_size=0)
    reader.feed(data)
    return reader


def whole_text(text: str) -> str:
    """*text* as it can be encoded: a file name that is not UTF-8, in an error's words, shows its bytes."""
    return text.encode(errors="backslashreplace").decode()


def declare_exception(*classes: type[BaseException]) -> None:
    """Let these come back as themselves. Called at import, by `@task(autoretry_for=..., raises=...)`."""
    for cls in classes:
        _known_exceptions[_class_name(cls)] = cls


def declare_type(cls: type, tag: int, to_plain: Callable[[Any], Any], from_plain: Callable[[Any], Any]) -> None:
    """Let values of a type of ours travel, under a tag that is its own for ever."""
    _TYPES[cls] = (tag, to_plain, from_plain)
    _FROM_PLAIN[tag] = from_plain


def _tagged(value: Any) -> msgpack.ExtType:
    for cls, (tag, to_plain, _) in _TYPES.items():
        if type(value) is cls:
            return msgpack.ExtType(tag, _pack(to_plain(value)))
    if isinstance(value, BaseException):
        return msgpack.ExtType(_EXCEPTION, _pack(_exception_to_plain(value)))
    if isinstance(value, int):  # beyond 64 bits
        return msgpack.ExtType(_BIG_INT, str(int(value)).encode())
    raise EncodingError(f"a {type(value).__module__}.{type(value).__qualname__} cannot be encoded: {value!r:.80}")


def _pack(value: Any) -> bytes:
    return msgpack.packb(value, default=_tagged, strict_types=True)  # type: ignore[no-any-return]


def _untagged(tag: int, data: bytes) -> Any:
    if tag == _EXCEPTION:
        return _exception_from_plain(*loads(data))
    if tag == _BIG_INT:
        return int(data)
    if tag in _FROM_PLAIN:
        return _FROM_PLAIN[tag](loads(data))
    raise EncodingError(f"unknown tag {tag}")


def _clock_to_plain(value: datetime | time) -> list[Any]:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    return [value.isoformat(), zone, value.fold]


def _datetime_from_plain(plain: list[Any]) -> datetime:
    text, zone, fold = plain
    return _in_zone(datetime.fromisoformat(text), zone).replace(fold=fold)


def _time_from_plain(plain: list[Any]) -> time:
    text, zone, fold = plain
    return _in_zone(time.fromisoformat(text), zone).replace(fold=fold)


def _in_zone(value: Clock, zone: str | None) -> Clock:
    """A zone that only the sender knows is left out: the offset in a datetime's text is the same moment."""
    if zone is not None:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError):
            return value.replace(tzinfo=ZoneInfo(zone))
    return value


def _exception_to_plain(error: BaseException) -> list[Any]:
    args = []
    for arg in error.args:
        try:
            args.append(loads(dumps(arg)))
        except EncodingError:
            args.append(repr(arg)[:1000])
    text = "".join(traceback.format_exception(error)) if error.__traceback__ else ""
    said, text = whole_text(str(error)[:10_000]), whole_text(text[-TRACEBACK_CHARACTERS:])
    return [_class_name(type(error)), tuple(args), said, text]


def _exception_from_plain(name: str, args: tuple[Any, ...], message: str, text: str) -> BaseException:
    error: BaseException
    try:
        error = _known_exceptions[name](*args)
    except Exception:  # unknown, or a constructor that wants other arguments than it stored
        error = RemoteError(name.removeprefix("builtins."), message)
    if text:
        error.add_note(f"Remote traceback:\n{text}")
    return error


def _class_name(cls: type[BaseException]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


_EXCEPTION, _BIG_INT = 20, 21

_TYPES: dict[type, tuple[int, Callable[[Any], Any], Callable[[Any], Any]]] = {
    tuple: (1, list, tuple),
    set: (2, list, set),
    frozenset: (3, list, frozenset),
    datetime: (4, _clock_to_plain, _datetime_from_plain),
    date: (5, date.isoformat, date.fromisoformat),
    time: (6, _clock_to_plain, _time_from_plain),
    timedelta: (7, lambda d: [d.days, d.seconds, d.microseconds], lambda p: timedelta(*p)),
    Decimal: (8, str, Decimal),
    UUID: (9, lambda u: u.bytes, lambda b: UUID(bytes=b)),
    complex: (10, lambda c: [c.real, c.imag], lambda p: complex(*p)),
}
_FROM_PLAIN = {tag: from_plain for tag, _, from_plain in _TYPES.values()}

declare_exception(*(cls for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, Exception)))
declare_exception(
    *(cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.QuarqError))
)
