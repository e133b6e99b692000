"""Arguments and results as bytes: msgpack with tagged types, never pickle.

A value comes back as it was: tuples stay tuples, times keep their zone. Exceptions come back as their own class only
if it is builtin or was declared by a task; nothing is ever imported because Redis says so.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgpack

from .errors import EncodingError, RemoteError, TaskRevoked
from .values import sendable
from .values.exceptions import TUPLE, ExceptionPacker, exception_from_plain
from .values.sendable import DEPTH, LARGEST, check
from .values.short_text import said

STORED = 128  # Levels of tagged values that are read: above DEPTH, as calls and workflows wrap what callers give.
WRAPPED = 512  # Levels of what is checked already: of calls with their callbacks, and of workflows.
DIGITS = 4_300  # Digits of the longest number: Python reads no longer one.

KEPT = 65_536  # Bytes of the largest value after which a packer is kept: its memory never shrinks.

Clock = TypeVar("Clock", datetime, time)
Hook = Callable[[int, bytes], Any]  # What msgpack asks for a tagged value.


def dumps(value: Any, depth: int = DEPTH, most: int = LARGEST) -> bytes:
    """Encode. EncodingError: it cannot travel, or not *depth* levels; TooLarge: more than *most* values."""
    check(value, depth, most)
    return pack(value)


def pack(value: Any) -> bytes:
    """Encode what was checked, by the packer that this thread keeps: it is away inside a value, and after an error."""
    own = vars(_packers)
    packer = own.pop("kept", None) or msgpack.Packer(default=_tagged, strict_types=True)
    try:
        data: bytes = packer.pack(value)
    except EncodingError:
        raise
    except UnicodeEncodeError as error:
        raise EncodingError(
            f"the text {error.object!r:.80} cannot be encoded: it holds half of a surrogate pair, as in a file name "
            "that is no UTF-8; pass os.fsencode(x)"
        ) from error
    except Exception as error:
        raise EncodingError(f"{type(value).__name__} cannot be encoded: {said(error, 500)}") from error
    if len(data) < KEPT:
        own["kept"] = packer
    return data


def joined(first: bytes, second: bytes) -> bytes:
    """Two encoded dicts as one. Where both have a key, the decoded dict has the value of *second*."""
    (n, start), (m, behind) = _map_header(first), _map_header(second)
    size = n + m
    header = bytes([0x80 + size]) if size < 16 else b"\xdf" + size.to_bytes(4, "big")
    return header + first[start:] + second[behind:]


def _map_header(data: bytes) -> tuple[int, int]:
    """How many entries an encoded dict has, and where they begin."""
    kind = data[0]
    if kind & 0xF0 == 0x80:
        return kind & 0x0F, 1
    width = {0xDE: 2, 0xDF: 4}.get(kind)
    if width is None:
        raise EncodingError("bytes that are no dict")
    return int.from_bytes(data[1 : 1 + width], "big"), 1 + width


def loads(data: bytes) -> Any:
    """Decode; EncodingError for bytes that are not ours, or that hold more than DEPTH levels."""
    value = _unpack(data, STORED - DEPTH)
    check(value)
    return value


def loads_wrapped(data: bytes) -> Any:
    """Decode what the library has wrapped around values: a call, a workflow, a result."""
    return _unpack(data, 0)


def loads_stored(data: bytes) -> Any:
    """Decode a call or a result in arq's shape, whose positional arguments are a tuple."""
    value = loads_wrapped(data)
    if isinstance(value, dict) and isinstance(value.get("a"), list):
        value["a"] = tuple(value["a"])
    return value


def loads_job(data: bytes) -> Any:
    """The same for arq's own `Job` and `create_pool()`: a revoked job has ended in CancelledError, as arq documents."""
    value = loads_stored(data)
    if isinstance(value, dict) and isinstance(error := value.get("r"), TaskRevoked) and not error.expired:
        value["r"] = asyncio.CancelledError(*error.args)
    return value


def loads_inert(data: bytes) -> Any:
    """Decode without running code of the application: its exceptions become RemoteErrors, its types EncodingErrors."""
    return _unpack(data, 0, _INERT_HOOKS)


def loads_cut(data: bytes) -> dict[str, Any]:
    """What can be read of a stored call whose end is cut off: the arguments before the cut."""
    reader = unpacker(data)
    found: dict[str, Any] = {"a": [], "k": {}}
    with contextlib.suppress(Exception):  # cut off or damaged: what was read is kept
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
    return found


def first_that_can(given: Callable[[bytes], Any] | None, ours: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The *given* deserializer, and ours for what it cannot read: scripts and processes without it write that."""
    if given is None:
        return ours

    def loads(data: bytes) -> Any:
        try:
            return given(data)
        except Exception as error:
            try:
                return ours(data)
            except EncodingError:
                raise error from None

    return loads


def unpacker(data: bytes, hook: Hook | None = None) -> Any:
    """What reads *data* piece by piece, and can pass over pieces: a msgpack.Unpacker."""
    reader: Any = msgpack.Unpacker(
        ext_hook=hook or _HOOKS[0], strict_map_key=False, max_buffer_size=0, read_size=max(len(data), 1)
    )
    reader.feed(data)
    return reader


def declare_type(cls: type, tag: int, to_plain: Callable[[Any], Any], from_plain: Callable[[Any], Any]) -> None:
    """Let values of a type of ours travel, under a tag that is its own for ever."""
    _TYPES[cls] = (tag, to_plain)
    _FROM_PLAIN[tag] = from_plain
    sendable.RECORDS[cls] = to_plain


def _tagged(value: Any, exception: Callable[[BaseException], bytes] | None = None) -> msgpack.ExtType:
    """What msgpack asks for a value that it has no type for. *exception*: how one inside an exception is encoded."""
    kind = type(value)
    if kind in _TYPES:
        tag, to_plain = _TYPES[kind]
        return msgpack.ExtType(tag, _pack_inside(to_plain(value), exception))
    if isinstance(value, BaseException):
        return msgpack.ExtType(_EXCEPTION, (exception or ExceptionPacker(_pack_inside).plain)(value))
    if kind is int:  # beyond 64 bits
        if abs(value) >= _TOO_LONG:
            raise EncodingError(f"a number of more than {DIGITS:,} digits cannot be encoded: pass hex(x)")
        return msgpack.ExtType(_BIG_INT, str(value).encode())
    raise sendable.refusal(value)


def _pack_inside(value: Any, exception: Callable[[BaseException], bytes] | None) -> bytes:
    default = _tagged if exception is None else partial(_tagged, exception=exception)
    return msgpack.packb(value, default=default, strict_types=True)  # type: ignore[no-any-return]


def _unpack(data: bytes, level: int, hooks: Sequence[Hook] | None = None) -> Any:
    try:
        return _unpack_at(data, level, hooks or _HOOKS)
    except Exception as error:  # whatever msgpack or a constructor makes of hostile bytes
        raise EncodingError(f"{len(data)} bytes that are not a value of ours: {said(error, 500)}") from error


def _unpack_at(data: bytes, level: int, hooks: Sequence[Hook]) -> Any:
    """Decode what is inside *level* tagged values. Only for the first few the reader is on the stack: 42 kB each."""
    if level < _ON_THE_STACK:
        return msgpack.unpackb(data, ext_hook=hooks[level], strict_map_key=False)
    if level > STORED:
        raise EncodingError(f"more than {STORED} tagged values inside each other")
    reader = unpacker(data, hooks[level])
    value = reader.unpack()
    if reader.tell() != len(data):
        raise EncodingError("bytes behind a value")
    return value


def _untagged(level: int, inert: bool, tag: int, data: bytes) -> Any:
    if tag == _BIG_INT:
        if len(data) > DIGITS + 1:
            raise EncodingError(f"a number of more than {DIGITS:,} digits")
        return int(data)
    if inert and tag not in _OWN_TAGS:
        raise EncodingError(f"tag {tag} is a type of the application")
    if tag not in _FROM_PLAIN:
        raise EncodingError(f"unknown tag {tag}")
    plain = _unpack_at(data, level + 1, _INERT_HOOKS if inert else _HOOKS)
    if inert and tag == _EXCEPTION and not plain[0].startswith("builtins."):
        return RemoteError(plain[0], plain[2] if isinstance(plain[2], str) else plain[2][0])
    return _FROM_PLAIN[tag](plain)


def _clock_to_plain(value: datetime | time) -> list[Any]:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    return [value.isoformat(), zone, value.fold]


def _clock_from_plain(kind: type[Clock], plain: list[Any]) -> Clock:
    """A zone that only the sender knows is left out: the offset in a datetime's text is the same moment."""
    text, zone, fold = plain
    value = kind.fromisoformat(text)
    if zone is not None:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError):
            value = value.replace(tzinfo=ZoneInfo(zone))
    return value.replace(fold=fold)


_EXCEPTION, _BIG_INT = 20, 21
_packers = threading.local()
_ON_THE_STACK = 4
_TOO_LONG = 10**DIGITS
_OWN_TAGS = {*range(1, 11), _EXCEPTION, 30}  # Of the types below, and of `Request`.
_HOOKS, _INERT_HOOKS = ([partial(_untagged, level, inert) for level in range(STORED + 1)] for inert in (False, True))
"""By the number of tagged values that one is inside of."""

_BUILT_IN: Sequence[tuple[type, int, Callable[[Any], Any], Callable[[Any], Any]]] = (
    (tuple, TUPLE, list, tuple),
    (set, 2, list, set),
    (frozenset, 3, list, frozenset),
    (datetime, 4, _clock_to_plain, partial(_clock_from_plain, datetime)),
    (date, 5, date.isoformat, date.fromisoformat),
    (time, 6, _clock_to_plain, partial(_clock_from_plain, time)),
    (timedelta, 7, lambda d: [d.days, d.seconds, d.microseconds], lambda plain: timedelta(*plain)),
    (Decimal, 8, str, Decimal),
    (UUID, 9, lambda u: u.bytes, lambda plain: UUID(bytes=plain)),
    (complex, 10, lambda c: [c.real, c.imag], lambda plain: complex(*plain)),
)
"""Each with its tag, what makes plain data of it, and what makes it of that."""
_TYPES = {cls: (tag, to_plain) for cls, tag, to_plain, _ in _BUILT_IN}
_FROM_PLAIN = {tag: from_plain for _, tag, _, from_plain in _BUILT_IN}
_FROM_PLAIN[_EXCEPTION] = lambda plain: exception_from_plain(*plain)
