"""Counters: of each minute, for charts, and of all time, for metrics. Every end of a job writes them (counting.lua)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..client.connection import JobsRedis
from ..store.clock import now_ms
from ..store.stored_values import moment_of, text, whole

STATES = ("SUCCESS", "FAILURE", "RETRY", "REVOKED")
Buckets = Mapping[int, int]
"""bucket -> how many times; bucket n holds those from 2^(n-1) to below 2^n ms, 0 those below 1 ms."""

BUCKETS = 25
"""See counting.lua."""
_BUCKETS = {str(bucket) for bucket in range(BUCKETS)}
_OF_A_TASK = [*STATES, *(f"{what}|{bucket}" for what in ("wait", "run") for bucket in range(BUCKETS))]


@dataclass
class Count:
    """What was counted of a task in some time, or of all tasks together."""

    states: dict[str, int] = field(default_factory=dict)
    """How many attempts came to SUCCESS, FAILURE, RETRY, REVOKED."""
    wait: dict[int, int] = field(default_factory=dict)
    """From due to start."""
    run: dict[int, int] = field(default_factory=dict)
    wait_ms: int = 0
    run_ms: int = 0
    """The sum of all."""

    def add(self, what: list[str], n: int) -> None:
        """Add a field of the hash, given without its task."""
        match what:
            case ["wait" | "run" as name, bucket] if bucket in _BUCKETS:
                buckets = self.wait if name == "wait" else self.run
                buckets[int(bucket)] = buckets.get(int(bucket), 0) + n
            case ["wait_ms"]:
                self.wait_ms += n
            case ["run_ms"]:
                self.run_ms += n
            case [state] if state in STATES:
                self.states[state] = self.states.get(state, 0) + n

    def of(self, state: str) -> int:
        return self.states.get(state, 0)

    @property
    def failure_share(self) -> float | None:
        """Failures among all that succeeded or failed; None where nothing did."""
        ended = self.of("SUCCESS") + self.of("FAILURE")
        return self.of("FAILURE") / ended if ended else None

    def percentiles(self) -> dict[str, float | None]:
        """Seconds that half of all, and 95 of 100, waited and ran: the names are fields of Minute and TaskInfo."""
        of = {"wait": self.wait, "run": self.run}
        return {f"{name}_p{n}": percentile(of[name], n / 100) for name in of for n in (50, 95)}


@dataclass(frozen=True)
class Minute:
    """One minute, of all tasks or of one. Times are in seconds; None where there was nothing to measure."""

    at: datetime
    succeeded: int
    failed: int
    retried: int
    revoked: int
    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None
    due: int | None
    """Jobs that were due, in all queues, of those that nobody served 50 at a time; None where no worker noted it."""
    oldest_due_s: float | None


async def minutes(connection: JobsRedis, n: int = 60, task: str = "") -> list[Minute]:
    """The last *n* minutes, the oldest first; the last one is still going on."""
    now = await now_ms(connection)
    served = await connection.zrangebyscore(connection.key.SERVED, now - n * 60_000, "+inf")
    depths = [f"|{what}|{queue}" for queue in ("", *map(bytes.decode, served)) for what in ("due", "oldest")]
    fields = [f"{task}|{what}" for what in _OF_A_TASK] + depths
    return [
        _minute(number, values[: len(_OF_A_TASK)], values[len(_OF_A_TASK) :])
        for number, values in (await _last(connection, n, fields)).items()
    ]


async def last_states(connection: JobsRedis, n: int = 60) -> Count:
    """How many attempts of all tasks came to each state in the last *n* minutes."""
    count = Count()
    for values in (await _last(connection, n, [f"|{state}" for state in STATES])).values():
        for state, value in zip(STATES, values, strict=True):
            count.add([state], whole(value))
    return count


async def last_minutes(connection: JobsRedis, n: int = 60) -> dict[str, Count]:
    """What was counted in the last *n* minutes, by task; '' is all together."""
    sums: dict[bytes, int] = {}
    for fields in (await _last(connection, n)).values():
        for name, value in fields.items():
            sums[name] = sums.get(name, 0) + whole(value)
    return _counted(sums)


async def _last(connection: JobsRedis, n: int, fields: list[str] | None = None) -> dict[int, Any]:
    """What Redis has of the last *n* minutes, by their numbers: these fields, or whole hashes."""
    this = await now_ms(connection) // 60_000
    numbers = range(this - n + 1, this + 1)
    async with connection.pipeline(transaction=False) as pipe:
        for number in numbers:
            key = f"{connection.key.STATS}{number}"
            pipe.hgetall(key) if fields is None else pipe.hmget(key, fields)
        return dict(zip(numbers, await pipe.execute(), strict=True))


async def totals(connection: JobsRedis) -> dict[str, Count]:
    """What was counted since the beginning, by task; '' is all together. Goes down only when Redis is emptied."""
    return _counted(await connection.hgetall(connection.key.TOTALS))  # type: ignore[misc]


def percentile(buckets: Buckets, share: float) -> float | None:
    """The time in seconds that *share* of all stay below, as exactly as the buckets allow; None if they are empty."""
    total = sum(buckets.values())
    left = total * share
    if left <= 0:
        return None
    for bucket in sorted(buckets):
        if left <= buckets[bucket]:
            lowest, highest = 2.0 ** (bucket - 1) if bucket else 0.0, 2.0**bucket
            return (lowest + (highest - lowest) * left / buckets[bucket]) / 1000
        left -= buckets[bucket]
    return None


def _counted(fields: Mapping[bytes, bytes | int]) -> dict[str, Count]:
    found: dict[str, Count] = {}
    for raw, n in fields.items():
        if not raw.startswith((b"|due|", b"|oldest|")):
            task, what = _parts(text(raw))
            found.setdefault(task, Count()).add(what, n if isinstance(n, int) else whole(n))
    return found


def _parts(text: str) -> tuple[str, list[str]]:
    """Task and the rest of a field: `task|STATE`, `task|wait|bucket`; a task's name may hold a `|`."""
    task, *rest = text.rsplit("|", 2)
    if len(rest) == 2 and rest[0] in ("wait", "run") and rest[1].isdecimal():
        return task, rest
    task, _, what = text.rpartition("|")
    return task, [what]


def _minute(number: int, values: Sequence[bytes | None], depths: Sequence[bytes | None]) -> Minute:
    count = Count()
    for what, n in zip(_OF_A_TASK, values, strict=True):
        if n is not None:
            count.add(what.split("|"), whole(n))
    due, oldest = ([whole(n) for n in some if n is not None] for some in (depths[::2], depths[1::2]))
    return Minute(
        at=moment_of(number * 60_000),
        succeeded=count.of("SUCCESS"),
        failed=count.of("FAILURE"),
        retried=count.of("RETRY"),
        revoked=count.of("REVOKED"),
        **count.percentiles(),
        due=sum(due) if due else None,
        oldest_due_s=max(oldest) / 1000 if oldest else None,
    )
