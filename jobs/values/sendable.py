"""What may travel through Redis: checked before anything is encoded. docs/arguments.md lists it."""

import dataclasses
import enum
import io
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgpack

from ..errors import EncodingError, TooLarge
from .short_text import said, text

DEPTH = 64
"""Levels of lists, dicts, tuples and sets inside each other that a value may have."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a whole workflow, or of the list that a group hands on. Calls and results have a smaller limit."""

LEAVES: frozenset[type] = frozenset(
    {
        type(None), bool, int, float, complex, Decimal, str, bytes,
        datetime, date, time, timedelta, UUID, msgpack.Timestamp,
    }
)  # fmt: skip
_SEQUENCES = frozenset({list, tuple, set, frozenset})
RECORDS: dict[type, Callable[[Any], Any]] = {}
"""Types whose values travel as what these make of them: see `encoding.declare_type`."""


def check(value: Any, depth: int = DEPTH, most: int = LARGEST) -> None:
    """EncodingError if it holds a value that cannot travel, more than *depth* levels or more than *most* values.
    Goes down level by level, so that no value can overflow the stack. Exceptions always travel."""
    if type(value) in LEAVES:
        return
    try:
        _check(value, depth, most)
    except EncodingError:
        raise
    except Exception as error:  # a value that changes meanwhile, or that is made to hurt
        raise EncodingError(f"a {_name(value)} cannot be encoded: {said(error, 500)}") from error


def check_all(values: Sequence[Any], depth: int = DEPTH, most: int = LARGEST) -> None:
    """The same for several values, such as the arguments of a call."""
    if not LEAVES.issuperset(map(type, values)):
        check(list(values), depth + 1, most)


def _check(value: Any, depth: int, most: int) -> None:
    level: Iterable[Any] = (value,)
    seen = 0
    for _ in range(depth):
        below: list[Any] = []
        for holder in level:
            kind = type(holder)
            if kind is dict:
                seen += len(holder)
                if not LEAVES.issuperset(map(type, chain(holder, holder.values()))):
                    below += chain(holder, holder.values())
            elif kind in _SEQUENCES:
                seen += len(holder)
                if not LEAVES.issuperset(map(type, holder)):
                    below += holder
            elif kind not in LEAVES:
                below += _inside(holder)
            if seen > most:
                raise TooLarge(f"it holds more than {most:,} values")
        if not below:
            return
        level = below
    _refuse_deeper(level)


def _inside(holder: Any) -> list[Any]:
    """What another value than a list or dict holds; EncodingError if it cannot travel."""
    if (kind := type(holder)) in RECORDS:
        return [RECORDS[kind](holder)]
    if isinstance(holder, BaseException):
        return []
    raise refusal(holder)


def _refuse_deeper(level: Iterable[Any]) -> None:
    for value in level:
        kind = type(value)
        if kind is dict or kind in _SEQUENCES or kind in RECORDS:
            raise EncodingError(
                f"it is nested too deep: {DEPTH} levels of lists, dicts, tuples and sets inside each other are "
                "allowed; pass it flat, or as JSON text"
            )
        if kind not in LEAVES:
            _inside(value)


def refusal(value: Any) -> EncodingError:
    """Why a value of this type cannot travel, and what to pass instead."""
    return EncodingError(f"a {_name(value)} cannot be encoded: {text(value)}; pass {remedy(value)}")


def remedy(value: Any) -> str:
    """What to pass instead of *value*, which is `x` here."""
    return next((words for holds, words in _REMEDIES if holds(value)), "its id, or a dict with what the task needs")


def _name(value: Any) -> str:
    """As its users write it: some Pythons keep `pathlib.PosixPath` in `pathlib._local`."""
    kind = type(value)
    return f"{kind.__module__.partition('._')[0]}.{kind.__qualname__}".removeprefix("builtins.")


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda value: all(hasattr(type(value), name) for name in names)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _is_from(*modules: str) -> Callable[[Any], bool]:
    return lambda value: type(value).__module__.partition(".")[0] in modules


_OR = ", or annotate the parameter or the result with its class"
_REMEDIES: Sequence[tuple[Callable[[Any], bool], str]] = (
    (_is(enum.Enum), f"x.value{_OR}"),
    (_is(msgpack.ExtType), "x.data"),
    (_has("tolist", "item", "dtype", "shape", "__getitem__", "__len__"), "x.tolist() (of a scalar: x.item())"),
    (_has("item", "dtype"), "x.item()"),
    (_has("to_pydatetime"), "x.to_pydatetime()"),
    (_has("model_dump"), f"x.model_dump(){_OR}"),
    (_has("to_dict"), "x.to_dict()"),
    (_has("__struct_fields__"), f"msgspec.structs.asdict(x){_OR}"),
    (_has("__attrs_attrs__"), f"attrs.asdict(x){_OR}"),
    (_has("_asdict", "_fields"), f"tuple(x) or x._asdict(){_OR}"),
    (lambda value: dataclasses.is_dataclass(value) and not isinstance(value, type),
     f"dataclasses.asdict(x){_OR}"),
    (_is(bytearray, memoryview, bytes), "bytes(x)"),
    *((_is(kind), f"{kind.__name__}(x)") for kind in (int, float, complex, str, Decimal, tuple, frozenset)),
    (_is(UUID), "UUID(str(x))"),
    *((_is(kind), f"{kind.__name__}.fromisoformat(x.isoformat())") for kind in (datetime, date, time)),
    (_is(timedelta), "timedelta(seconds=x.total_seconds())"),
    (_is(Mapping), "dict(x)"),
    (_is(Set), "set(x)"),
    (_is(PurePath), f"str(x){_OR}"),
    (_is(io.IOBase), "its path, or what x.read() gave"),
    (_is(types.CoroutineType), "what `await x` gives"),
    (_is(type, types.FunctionType, types.BuiltinFunctionType, types.MethodType), "its name"),
    (_is(Sequence, Iterator), "list(x)"),
    (_is_from("collections", "array"), "list(x)"),
    (_is_from("fractions", "ipaddress", "zoneinfo", "yarl"), "str(x)"),
)  # fmt: skip
