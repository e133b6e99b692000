"""What a `rate_limit` says: Celery's words, as a count and a window. Who may go when is decided in Redis."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.errors import SettingsMistake

_WINDOWS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True)
class RateLimit:
    """At most *count* starts in *window_ms*, by all workers together."""

    count: float
    window_ms: int

    @property
    def spacing_ms(self) -> float:
        """Time from one start to the next when there is more to do than the limit allows."""
        return self.window_ms / self.count


def parse_rate_limit(text: str | float | None) -> RateLimit | None:
    """The meaning of 5 or "5" (a second), "10/s", "5/m", "100/h"; None is no limit."""
    if text is None:
        return None
    match = (
        None
        if isinstance(text, bool)
        else re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*([smh])\s*)?", str(text))
    )
    if match is None:
        raise SettingsMistake(f'rate_limit={text!r}: write a number (a second), "10/s", "5/m" or "100/h"')
    count = float(match[1])
    if count <= 0:
        raise SettingsMistake(f"rate_limit={text!r}: nothing would ever run; None is no limit")
    return RateLimit(count, _WINDOWS_MS[match[2] or "s"])


def rate_text(stored: str) -> str:
    """`10/s` of what Redis holds of a rate, `10 1000`; '' is no limit."""
    if not stored:
        return ""
    count, window = stored.split()
    unit = next((unit for unit, ms in _WINDOWS_MS.items() if ms == int(window)), f"{int(window) / 1000:g}s")
    return f"{count}/{unit}"
