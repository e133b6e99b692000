"""Texts, numbers and moments as Redis has them. Anybody may have written there: a bad one must not hide others."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from . import keys

T = TypeVar("T")
_WHOLE = re.compile(rb"-?[0-9]{1,18}")


def text(raw: bytes | None) -> str:
    """The text; '' for none. What is no UTF-8 shows as U+FFFD."""
    return raw.decode(errors="replace") if raw else ""


def texts(raw: Mapping[bytes, bytes]) -> defaultdict[str, str]:
    """A hash, all of it as text; '' for a field that it does not have."""
    return defaultdict(str, {text(name): text(value) for name, value in raw.items()})


def whole(raw: bytes | str | None) -> int:
    """The whole number; 0 for none, and for what is no number of at most 18 digits."""
    word = raw.encode(errors="replace") if isinstance(raw, str) else raw or b""
    return int(word) if _WHOLE.fullmatch(word) else 0


def moment(ms: bytes | str | float | None) -> datetime | None:
    """A time as Redis has it; None for none."""
    return moment_of(ms) if ms else None


def moment_of(ms: bytes | str | float) -> datetime:
    """A time in ms. A score may be any number: see `whole_ms`."""
    return datetime.fromtimestamp(whole_ms(ms) / 1000, UTC)


def whole_ms(ms: bytes | str | float | None) -> int:
    """A time as Redis has it, in ms; 0 for none. What is no time becomes one: it must not hide the others."""
    try:
        number = float(ms or 0)
    except ValueError:
        return 0
    return keys.LAST_MS if number != number else int(min(max(number, 0), keys.LAST_MS))


def read_as(kind: Callable[..., T], stored: Mapping[bytes, bytes], **given: Any) -> T:
    """A dataclass of the fields of a hash that have its names, each read by its type; *given*: the other ones."""
    facts = texts(stored)
    read = {one.name: _READERS[one.type](facts[one.name]) for one in fields(kind) if one.name not in given}  # type: ignore[arg-type]
    return kind(**read, **given)


_READERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: whole,
    bool: "1".__eq__,
    datetime: moment_of,
    datetime | None: moment,
    tuple[str, ...]: lambda words: tuple(words.split(",")) if words else (),
}


def chunked(items: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """The items, *size* at a time: one script, or one command, keeps Redis for a few milliseconds only."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
