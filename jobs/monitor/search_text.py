"""A text to search for among jobs: in upper or lower case, also where it is stored as a number, an id or a time."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any
from uuid import UUID

import msgpack

from ..tasks.masking import Mark
from ..values.short_text import said
from ..values.short_text import text as shown

SEARCHED_CHARS = 10_000  # Characters of an exception's text, and of a value as it is shown, that are looked at.
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?(e[+-]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (?=\d)", re.ASCII)
_AS_SHOWN = re.compile(r"[][(){}<>=,'\"\\]|\dj|(\d|true|false|none|nan|inf):( |$)", re.IGNORECASE)
"""Such a text may be found in arguments as they are shown, and nowhere in what is stored of them."""
_CONSTANTS = {"true": True, "false": False, "none": None, "null": None} | {
    one: float(one) for one in ("nan", "inf", "-inf")
}


@dataclass(frozen=True)
class Needle:
    """What somebody has typed. Text is found in part, a number or a UUID as a whole."""

    typed: str

    @cached_property
    def _numbers(self) -> list[int | float]:
        if not _NUMBER.fullmatch(self.typed):
            return []
        exact, real = Decimal(self.typed), float(self.typed)
        return [int(exact), real] if exact == exact.to_integral_value() else [real]

    @cached_property
    def _uuid(self) -> UUID | None:
        try:
            return UUID(self.typed)
        except ValueError:
            return None

    def is_in(self, value: Any) -> bool:
        """Is it this value, a part of it, or in one of those that it holds, however deep?"""
        if isinstance(value, Mapping):
            return any(map(self.is_in, chain(value, value.values())))
        if isinstance(value, list | tuple | set | frozenset):
            return any(map(self.is_in, value))
        if isinstance(value, bool | int | float | None):
            return self._is(value)
        return self._is(value) or any(self.typed.lower() in text for text in _texts(value))

    def equals(self, value: Any) -> bool:
        """Is it all of this value, or of one in this list: as text in either case, or as people see the value?"""
        if isinstance(value, Mark):
            return False
        if isinstance(value, list | tuple | set | frozenset) and any(map(self.equals, value)):
            return True
        return self._is(value) or self.typed.lower() in _texts(value) or self.typed == shown(value, SEARCHED_CHARS)

    def is_in_shown(self, line: Callable[[int], str]) -> bool:
        """Is it in arguments as people see them? Of those, `is_in` does not know `[1, 2]` and `Decimal('1')`."""
        return _AS_SHOWN.search(self.typed) is not None and self.typed.lower() in line(SEARCHED_CHARS).lower()

    def _is(self, value: Any) -> bool:
        """Is it this constant, number or UUID?"""
        if isinstance(value, int | float | None) and self.typed.lower() in (
            "null" if value is None else "",
            str(value).lower(),
        ):
            return True
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value in self._numbers
        return isinstance(value, UUID) and value == self._uuid

    def as_stored(self) -> list[bytes]:
        """For find.lua: lower-case bytes, one of which each call holds that has the text; []: look at every call."""
        if _AS_SHOWN.search(self.typed):
            return []
        numbers = [n for n in self._numbers if isinstance(n, float) or -(2**63) <= n < 2**64]
        found = [self._part(), *map(msgpack.packb, numbers)]
        if self.typed.lower() in _CONSTANTS:
            found.append(msgpack.packb(_CONSTANTS[self.typed.lower()]))
        if self._uuid is not None:
            found.append(self._uuid.bytes)
        if _MOMENT.match(self.typed):
            found.append(self.typed.replace(" ", "T", 1).encode())
        return [one.lower() for one in found]

    def _part(self) -> bytes:
        """The longest part of the text that has one form of bytes in lower case."""
        if self.typed.lower() == self.typed.upper():  # no letter of it has a case: Chinese, Arabic, digits
            return self.typed.encode(errors="replace")
        runs = re.findall(r"[\x20-\x7e]+", self.typed)
        return max(runs, key=len, default="").encode()


def _texts(value: Any) -> list[str]:
    """What it is as text, in lower case."""
    texts = [said(value, SEARCHED_CHARS) if isinstance(value, BaseException) else str(value)]
    texts += [value.isoformat()] if isinstance(value, datetime | date | time) else []
    return [text.lower() for text in texts]
