"""Counters: of each minute, for charts, and of all time, for metrics. Every end of a job writes them (counting.lua)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from ...client.connection import JobsRedis
from ...store.stored_values import text, whole

STATES = ("SUCCESS", "FAILURE", "RETRY", "REVOKED")
FOLDED = "FOLDED"  # A call of a unique task that became another job. Since ever only.
Fields = Mapping[bytes, bytes]
DEPTHS = b"|due|", b"|oldest|"  # What a field begins with that has the depth of a queue, or the age there in ms.
_FIELD = re.compile(rf"(.+)\|(?:({'|'.join((*STATES, FOLDED))})|(wait|run)_ms|(wait|run)\|(1?[0-9]|2[0-4]))", re.DOTALL)
"""A field of the hash: `task|STATE`, `task|wait_ms`, `task|wait|bucket`. The name of a task may hold a `|`. Of an
empty name are the sums of all tasks that earlier releases wrote; they are not read."""


@dataclass
class Count:
    """What was counted of a task in some time, or of all tasks together."""

    states: Counter[str] = field(default_factory=Counter)  # How many came to SUCCESS, FAILURE, RETRY, REVOKED, FOLDED.
    wait: Counter[int] = field(default_factory=Counter)  # From due to start: bucket -> how many times.
    run: Counter[int] = field(default_factory=Counter)
    ms: Counter[str] = field(default_factory=Counter)  # The sum of all, of wait and of run.

    @property
    def failure_share(self) -> float | None:
        """Failures among all that succeeded or failed; None where nothing did."""
        ended = self.states["SUCCESS"] + self.states["FAILURE"]
        return self.states["FAILURE"] / ended if ended else None

    def percentile(self, what: Literal["wait", "run"], n: int) -> float | None:
        """The seconds that *n* of 100 stay below, as exactly as the buckets allow; None if nothing was measured."""
        buckets = self.wait if what == "wait" else self.run
        left = sum(buckets.values()) * n / 100
        for bucket in sorted(buckets) if left > 0 else ():
            if left <= buckets[bucket]:
                lowest, highest = 2.0 ** (bucket - 1) if bucket else 0.0, 2.0**bucket
                return (lowest + (highest - lowest) * left / buckets[bucket]) / 1000
            left -= buckets[bucket]
        return None


async def totals(connection: JobsRedis) -> dict[str, Count]:
    """What was counted since the beginning, by task; '' is all together. Goes down only when Redis is emptied."""
    return counted([await connection.hgetall(connection.key.TOTALS)])  # type: ignore[misc]


def counted(some: Iterable[Fields], only: str | None = None) -> dict[str, Count]:
    """The sums of all fields that are counters, by task and, under '', together; *only* one of these."""
    sums = defaultdict[bytes, int](int)
    for fields in some:
        for raw, value in fields.items():
            sums[raw] += int(value) if value.isdigit() and len(value) < 18 else whole(value)  # the usual one is faster
    found = defaultdict[str, Count](Count)
    for raw, n in sums.items():
        if field := _read(raw):
            task, part, key = field
            for name in (task, ""):
                if only is None or name == only:
                    getattr(found[name], part)[key] += n
    return dict(found)


@lru_cache(maxsize=50_000)
def _read(raw: bytes) -> tuple[str, str, str | int] | None:
    """Which task a field counts, in which part of a Count, and under which key there; None if it is no counter."""
    match = None if raw.startswith(DEPTHS) else _FIELD.fullmatch(text(raw))
    if match is None:
        return None
    task, state, sum_of, times, bucket = match.groups()
    if times:
        return task, times, int(bucket)
    return (task, "states", state) if state else (task, "ms", sum_of)
