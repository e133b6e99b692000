"""A text to search for among jobs: in upper or lower case, also where it is stored as a number, an id or a time."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any
from uuid import UUID

import msgpack

_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(?P<real>(\.[0-9]{1,300})?(e[+-]?[0-9]{1,3})?)", re.ASCII | re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (?=\d)", re.ASCII)


@dataclass(frozen=True)
class Needle:
    """What somebody has typed. Text is found in part, a number or a UUID as a whole."""

    typed: str

    @cached_property
    def _numbers(self) -> list[int | float]:
        match = _NUMBER.fullmatch(self.typed)
        if match is None:
            return []
        real = float(self.typed)
        if match["real"]:
            return [real, int(real)] if real.is_integer() else [real]
        return [int(self.typed), real]

    @cached_property
    def _uuid(self) -> UUID | None:
        try:
            return UUID(self.typed)
        except ValueError:
            return None

    def is_in(self, text: str) -> bool:
        return self.typed.lower() in text.lower()

    def is_value(self, value: Any) -> bool:
        """Is it this value of a call, or a part of it? Of a list or a map nothing is looked at."""
        if isinstance(value, str):
            return self.is_in(value)
        if isinstance(value, int | float):
            return not isinstance(value, bool) and value in self._numbers
        if isinstance(value, UUID) and value == self._uuid:
            return True
        if isinstance(value, datetime | date | time) and self.is_in(value.isoformat()):
            return True
        return value is not None and self.is_in(str(value))

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
