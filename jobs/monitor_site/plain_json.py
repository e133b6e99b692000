"""What is known of jobs as plain JSON: for the API and for `--json`."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from typing import Any

from ..values.short_text import said, text

LONGEST = 10_000
MOST_EXACT = 2**53 - 1
"""The largest whole number that every reader of JSON reads as it is (RFC 7493)."""


def plain(value: Any) -> Any:
    """What JSON has a form for, with text in place of what it has none for: NaN, bytes, numbers beyond MOST_EXACT.

    Of a dataclass the fields; times are in ISO 8601.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else text(key, 1_000): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, str | bool | None):
        return value
    if isinstance(value, int):
        return value if abs(value) <= MOST_EXACT else text(value, LONGEST)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, BaseException):
        return said(value, LONGEST)
    return text(value, LONGEST) if isinstance(value, bytes | bytearray) else str(value)
