"""What was counted in intervals of 1, 5, 15 and 60 minutes: the sums of the minutes that workers write, and kept."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
from redis.exceptions import RedisError

from ..client.connection import JobsRedis
from ..errors import QueueUnavailable
from ..store import keys
from ..store.stored_values import chunked, text, whole
from .model.counters import DEPTHS
from .packed_minutes import Parts, sums_of

KEPT_MINUTES = {1: 120, 5: 7 * 60, 15: 25 * 60, 60: keys.STATS_KEPT_S // 60}
"""The sizes of intervals, and how long the sums of each are kept: as long as a page shows intervals of it."""
KEEP_S = 0.2  # To keep sums may take so long: a page does not wait for a Redis that takes no writes.
DEPTH, TASK = b"depth", "task:"  # Fields of what is kept: of an interval without that first one nothing is.


@dataclass
class Sums:
    """What was counted in some minutes, by task; '' is all together. Of depths the most; None: nobody noted any."""

    tasks: dict[str, Parts] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)
    """How many jobs were due in each queue; in '', of those that nobody served 50 at a time."""
    due: int | None = None  # In all queues at once.
    oldest_ms: int | None = None

    def add(self, other: "Sums") -> None:
        for task, parts in other.tasks.items():
            for into, part in zip(self.tasks.setdefault(task, [{}, {}, {}, {}]), parts, strict=True):
                for key, n in part.items():
                    into[key] = into.get(key, 0) + n
        self.note_depths(other.depths, other.due, other.oldest_ms)

    def note_depths(self, depths: Mapping[str, int], due: int | None, oldest_ms: int | None) -> None:
        for queue, n in depths.items():
            self.depths[queue] = max(n, self.depths.get(queue, 0))
        self.due = max((n for n in (self.due, due) if n is not None), default=None)
        self.oldest_ms = max((n for n in (self.oldest_ms, oldest_ms) if n is not None), default=None)


async def read(
    connection: JobsRedis,
    size: int,
    numbers: Sequence[int],
    minute: int,
    task: str | None = None,
    until: float = float("inf"),
    at_least: int = 0,
) -> dict[int, Sums | None]:
    """The intervals of *size* minutes with these numbers, of a time up to *minute*, which goes on; of one *task* alone,
    unless it is None. Those that are not added up yet once time.monotonic() is *until* are None, but for *at_least* the
    newest of them. What is over is kept, so that the next look finds it."""
    found = await _kept(connection, size, numbers, task)
    missing = [number for number in sorted(numbers, reverse=True) if found[number] is None]
    may_keep = True
    for n, some in enumerate(chunked(missing, max(15 // size, 1))):
        if n < at_least or time.monotonic() < until:
            added_up = {number: Sums() for number in some}
            await _add_minutes(connection, size, added_up, minute)
            may_keep = may_keep and await _keep(connection, size, added_up, minute)
            found |= added_up
    return found


async def _add_minutes(connection: JobsRedis, size: int, into: Mapping[int, Sums], minute: int) -> None:
    spans = {number: range(number * size, min(number * size + size, minute + 1)) for number in into}
    async with connection.pipeline(transaction=False) as pipe:
        for one in (one for span in spans.values() for one in span):
            pipe.hgetall(f"{connection.key.STATS}{one}")
        hashes = iter(await pipe.execute())
    for number, span in spans.items():
        inside: list[Mapping[bytes, bytes]] = [next(hashes) for _ in span]
        sums = into[number]
        sums.tasks = sums_of(inside)
        for fields in inside:
            noted = [raw for raw in fields if raw.startswith(DEPTHS)]
            due, oldest = (
                {text(raw[len(begin) :]): whole(fields[raw]) for raw in noted if raw.startswith(begin)}
                for begin in DEPTHS
            )
            sums.note_depths(due, sum(due.values()) if due else None, max(oldest.values(), default=None))


def _key(connection: JobsRedis, size: int, number: int) -> str:
    return f"{connection.key.SUMS}{size}:{number}"


async def _kept(connection: JobsRedis, size: int, numbers: Sequence[int], task: str | None) -> dict[int, Sums | None]:
    async with connection.pipeline(transaction=False) as pipe:
        for number in numbers:
            if task is None:
                pipe.hgetall(_key(connection, size, number))
            else:
                pipe.hmget(_key(connection, size, number), [DEPTH, TASK + task])
        stored = await pipe.execute(raise_on_error=False)
    if task is not None:
        name = (TASK + task).encode()
        stored = [one if isinstance(one, Exception) else {DEPTH: one[0], name: one[1]} for one in stored]
    return {number: _unpacked(one) for number, one in zip(numbers, stored, strict=True)}


def _unpacked(stored: Any) -> Sums | None:
    """None for what is not there, or damaged: it is added up anew."""
    with contextlib.suppress(Exception):
        sums = Sums()
        sums.note_depths(*msgpack.unpackb(stored[DEPTH]))
        for raw, packed in stored.items():
            if raw != DEPTH and packed is not None:
                states, wait, run, ms = msgpack.unpackb(packed, strict_map_key=False)
                sums.tasks[text(raw.removeprefix(TASK.encode()))] = [dict(states), dict(wait), dict(run), dict(ms)]
        return sums
    return None


async def _keep(connection: JobsRedis, size: int, some: Mapping[int, Sums], minute: int) -> bool:
    """Where this user may write. If not, the next look adds them up again: False."""
    async with connection.pipeline(transaction=True) as pipe:
        for number, sums in some.items():
            left = (number + 1) * size + KEPT_MINUTES[size] - minute
            if number < minute // size and left > 0:
                packed = {TASK + task: msgpack.packb(parts) for task, parts in sums.tasks.items()}
                depth = msgpack.packb([sums.depths, sums.due, sums.oldest_ms])
                pipe.hset(_key(connection, size, number), mapping={DEPTH: depth, **packed})
                pipe.expire(_key(connection, size, number), left * 60)
        with contextlib.suppress(RedisError, QueueUnavailable, TimeoutError):
            async with asyncio.timeout(KEEP_S):
                await pipe.execute()
                return True
    return False
