"""What is known of jobs as plain JSON: for the API and for `--json`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from ..values.short_text import said, text
from .model.counters import Count

LONGEST = 10_000
MOST_EXACT = 2**53 - 1
"""The largest whole number that every reader of JSON reads as it is (RFC 7493)."""


MEASURED: tuple[Literal["run"], Literal["wait"]] = ("run", "wait")


@dataclass(frozen=True)
class Counted:
    """What was counted of the attempts of a task, or of all, in some time. None: nothing was measured."""

    states: Mapping[str, int]  # How many came to SUCCESS, FAILURE, RETRY, REVOKED.
    failure_share: float | None  # Failures among all that succeeded or failed.
    run_s: float  # All together.
    run_p50_s: float | None  # The seconds that 50 of 100 stay below, about.
    run_p95_s: float | None
    wait_s: float  # From due to start, all together.
    wait_p50_s: float | None
    wait_p95_s: float | None

    @classmethod
    def of(cls, count: Count) -> "Counted":
        (run_p50, run_p95), (wait_p50, wait_p95) = (
            (count.percentile(what, 50), count.percentile(what, 95)) for what in MEASURED
        )
        run_s, wait_s = (count.ms[what] / 1000 for what in MEASURED)
        return cls(count.states, count.failure_share, run_s, run_p50, run_p95, wait_s, wait_p50, wait_p95)


INSTEAD: dict[Any, Any] = {Count: Counted}
"""What is made of values of some classes, by `of`."""


def plain(value: Any) -> Any:
    """What JSON has a form for, with text in place of what it has none for: NaN, bytes, numbers beyond MOST_EXACT.

    Of a dataclass the fields; times are in ISO 8601.
    """
    if type(value) in INSTEAD:
        value = INSTEAD[type(value)].of(value)
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
