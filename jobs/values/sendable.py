"""What may travel through Redis: checked before anything is encoded. docs/arguments.md lists it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import UUID

import msgpack

from ..errors import EncodingError, TooLarge
from .short_text import said, text

DEPTH = 64  # Levels of lists, dicts, tuples and sets inside each other that a value may have.
LARGEST = 64 * 1024 * 1024  # Bytes of a workflow, or of what a group hands on. Calls and results have smaller limits.

LEAVES: frozenset[type] = frozenset(
    {
        type(None), bool, int, float, complex, Decimal, str, bytes,
        datetime, date, time, timedelta, UUID, msgpack.Timestamp,
    }
)  # fmt: skip
_SEQUENCES = frozenset({list, tuple, set, frozenset})
RECORDS: dict[type, Callable[[Any], Any]] = {}  # Types, and what makes plain data of them: see `encoding.declare_type`.


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
        raise EncodingError(f"{_named(value)} cannot be encoded: {said(error, 500)}") from error


def check_all(values: Sequence[Any], depth: int = DEPTH, most: int = LARGEST) -> None:
    """The same for several values, such as the arguments of a call."""
    if not LEAVES.issuperset(map(type, values)):
        check(list(values), depth + 1, most)


def _check(value: Any, depth: int, most: int) -> None:
    level: Iterable[Any] = (value,)
    seen = 0
    for left in range(depth, -1, -1):
        below: list[Any] = []
        for holder in level:
            kind = type(holder)
            if not left and (kind is dict or kind in _SEQUENCES or kind in RECORDS):
                raise EncodingError(
                    f"it is nested too deep: {DEPTH} levels of lists, dicts, tuples and sets inside each other are "
                    "allowed; pass it flat, or as JSON text"
                )
            if kind is dict or kind in _SEQUENCES:
                seen += len(holder)
                held = (*holder, *holder.values()) if kind is dict else holder
                if not LEAVES.issuperset(map(type, held)):
                    below += held
            elif kind not in LEAVES:
                below += _inside(holder)
            if seen > most:
                raise TooLarge(f"it holds more than {most:,} values")
        if not below:
            return
        level = below


def _inside(holder: Any) -> list[Any]:
    """What another value than a list or dict holds; EncodingError if it cannot travel."""
    if (kind := type(holder)) in RECORDS:
        return [RECORDS[kind](holder)]
    if isinstance(holder, BaseException):
        return []
    raise refusal(holder)


def refusal(value: Any) -> EncodingError:
    """Why a value of this type cannot travel, and what to pass instead."""
    remedy = import_module("..contrib.remedies", __package__).remedy(value)
    return EncodingError(f"{_named(value)} cannot be encoded: {text(value)}; pass {remedy}")


def too_large(what: str, size: int, limit: int) -> TooLarge:
    """The error of *what* takes more than the limit."""
    instead = "store what is large elsewhere, and pass its place, such as a path or a key"
    return TooLarge(f"{what} {size:,} bytes; {limit:,} are allowed: {instead}")


def _named(value: Any) -> str:
    """As its users write it: some Pythons keep `pathlib.PosixPath` in `pathlib._local`."""
    kind = type(value)
    name = f"{kind.__module__.partition('._')[0]}.{kind.__qualname__}".removeprefix("builtins.")
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
