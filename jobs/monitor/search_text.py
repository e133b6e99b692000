"""A text to search for among jobs: in upper or lower case, also where it is stored as a number, an id or a time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any
from uuid import UUID

import msgpack

from ..values.short_text import said

SEARCHED_CHARS = 10_000  # Characters of an exception's text that are looked at.
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?(e[+-]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (?=\d)", re.ASCII)


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
        if isinstance(value, bool | None):
            return False
        if isinstance(value, int | float):
            return value in self._numbers
        if isinstance(value, UUID) and value == self._uuid:
            return True
        if isinstance(value, datetime | date | time) and self.is_in(value.isoformat()):
            return True
        text = said(value, SEARCHED_CHARS) if isinstance(value, BaseException) else str(value)
        return self.typed.lower() in text.lower()

    def as_stored(self) -> bytes:
        """For find.lua: lower-case bytes, one of which is in each call that holds the text; '' for no text."""
        if not self.typed:
            return b""
        numbers = [n for n in self._numbers if isinstance(n, float) or -(2**63) <= n < 2**64]
        found = [self._part(), *map(msgpack.packb, numbers)]
        if self._uuid is not None:
            found.append(self._uuid.bytes)
        if _MOMENT.match(self.typed):
            found.append(self.typed.replace(" ", "T", 1).encode())
        packed: bytes = msgpack.packb([one.lower() for one in found], use_bin_type=False)
        return packed

    def _part(self) -> bytes:
        """The longest part of the text that has one form of bytes in lower case."""
        if self.typed.lower() == self.typed.upper():  # no letter of it has a case: Chinese, Arabic, digits
            return self.typed.encode(errors="replace")
        runs = re.findall(r"[\x20-\x7e]+", self.typed)
        return max(runs, key=len, default="").encode()


NOTHING_TYPED = Needle("")
