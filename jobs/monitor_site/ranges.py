"""What was counted in the last hour, or in up to 72 of them, in intervals for charts; and the sums of any such time."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..client.connection import JobsRedis
from ..store import keys
from ..store.store import now_ms
from ..store.stored_values import moment_of
from .intervals import Sums, read
from .model.counters import Count
from .packed_minutes import Parts

PATIENCE_S = 0.05
"""How long a page adds up hours that nobody has looked at yet. What is left waits for its next look."""


@dataclass(frozen=True)
class Range:
    """How far a chart looks back, and how long its intervals are, in minutes."""

    name: str
    minutes: int
    size: int


HOUR = Range("1h", 60, 1)
RANGES = {one.name: one for one in (HOUR, Range("6h", 360, 5), Range("24h", 1_440, 15), Range("72h", 4_320, 60))}


@dataclass(frozen=True)
class Interval:
    """What was counted in some minutes, of all tasks or of one. None where no worker noted how much was due."""

    at: datetime
    minutes: int
    count: Count | None
    """None: it is not added up yet, see PATIENCE_S."""
    due: int | None
    """The most jobs that were due at once, in all queues, of those that nobody served 50 at a time."""
    oldest_due_s: float | None
    depths: Mapping[str, int]
    """The most in each queue; in '' of those that nobody served."""


async def history(
    connection: JobsRedis, within: Range = HOUR, task: str = "", patience_s: float = PATIENCE_S
) -> list[Interval]:
    """The intervals of a range, the oldest first; the last one is still going on."""
    until = time.monotonic() + patience_s
    minute = await now_ms(connection) // 60_000
    last = minute // within.size
    numbers = range(last - within.minutes // within.size + 1, last + 1)
    found = await read(connection, within.size, numbers, minute, task, until, at_least=2)  # what goes on is never kept
    return [_interval(number * within.size, within.size, found[number], task) for number in numbers]


@dataclass(frozen=True)
class Totals:
    """What was counted in some time, by task; '' is all together. `missing`: minutes that are not added up yet."""

    counts: dict[str, Count]
    missing: int


async def totals_between(connection: JobsRedis, first: int, last: int, patience_s: float = PATIENCE_S) -> Totals:
    """From one minute since 1970 to another, both too; of a time that reaches back further than what is kept, only what
    is left."""
    until, pieces, sums, missing = time.monotonic() + patience_s, dict[int, list[int]](), Sums(), 0
    minute = await now_ms(connection) // 60_000
    first, last = max(first, minute - keys.STATS_KEPT_S // 60), min(last, minute)
    while last >= first:
        size = next(size for size in (60, 15, 5, 1) if (last + 1) % size == 0 and last + 1 - size >= first)
        pieces.setdefault(size, []).append(last // size)
        last -= size
    for size, numbers in sorted(pieces.items()):
        for piece in (await read(connection, size, numbers, minute, None, until)).values():
            sums.add(piece or Sums())
            missing += 0 if piece else size
    return Totals({task: _count(parts) for task, parts in sums.tasks.items()}, missing)


async def last_minutes(connection: JobsRedis, n: int, patience_s: float = PATIENCE_S) -> Totals:
    """Of this minute, which still goes on, and those before it, *n* in all."""
    this = await now_ms(connection) // 60_000
    return await totals_between(connection, this - n + 1, this, patience_s)


def summed(counts: Iterable[Count | None]) -> Count:
    """What was counted in all of these times together."""
    whole = Count()
    for count in counts:
        for name, sums in vars(whole).items() if count else ():
            sums.update(getattr(count, name))
    return whole


def _interval(minute: int, size: int, sums: Sums | None, task: str) -> Interval:
    at = moment_of(minute * 60_000)
    if sums is None:
        return Interval(at, size, None, None, None, {})
    oldest_s = None if sums.oldest_ms is None else sums.oldest_ms / 1000
    return Interval(at, size, _count(sums.tasks.get(task)), sums.due, oldest_s, sums.depths)


def _count(parts: Parts | None) -> Count:
    return Count(*map(Counter, parts)) if parts else Count()
