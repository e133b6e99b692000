"""Texts and numbers as Redis has them. Anybody may have written there: what is none must not hide what is beside it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

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
