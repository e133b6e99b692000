"""What a `rate_limit` says: Celery's words, as a count and a window. Who may go when is decided in Redis."""

import re
from decimal import Decimal

from ..errors import SettingsMistake, WrongValue
from ..values import checks

_RATE = re.compile(r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(?:/\s*([smh])\s*)?", re.ASCII)
WINDOWS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
FASTEST, SLOWEST_S = 1e9, 366 * 86_400  # Starts a second, and seconds from one to the next, that a limit may ask for.


def stored_rate(text: str | float | Decimal | None) -> str:
    """5 or "5" (a second), "10/s", "5/m", "100/h" as limits.lua reads it: `10 1000` are at most 10 starts in 1,000 ms,
    by all workers together. '' for None, no limit. SettingsMistake for anything else."""
    if text is None:
        return ""
    mistake = f"rate_limit={checks.shown(text)}: "
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    try:
        count = checks.number("rate_limit", float(match[1]) if match else text, most=1e300)
    except (TypeError, WrongValue):
        raise SettingsMistake(f'{mistake}write a number (a second), "10/s", "5/m" or "100/h"') from None
    if count == 0:
        raise SettingsMistake(f"{mistake}nothing would ever run; None is no limit")
    window_ms = WINDOWS_MS[match[2] or "s" if match else "s"]
    if not 1_000 / FASTEST <= window_ms / count <= SLOWEST_S * 1_000:
        raise SettingsMistake(f"{mistake}give a rate between one a year and {FASTEST:,.0f} a second")
    return f"{count:.12f}".rstrip("0").rstrip(".") + f" {window_ms}"  # a plain decimal, never 1e+06
