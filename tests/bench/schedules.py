"""Stored schedules: how late each fires among 100,000, and 10,000 at one moment; what they cost while none is due."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta

from jobs import connect, every, schedules, signature
from jobs.store.keys import Keys
from tests.bench.rig import Rig
from tests.bench.subjects import OURS, Subject
from tests.bench.table import Figures, Target, at_most

SUBJECTS = (OURS,)
SPREAD = int(os.environ.get("BENCH_SCHEDULES", "100000"))
AT_ONCE, WORKERS, HOUR = 10_000, 3, timedelta(hours=1)
WATCHED_S, IDLE_S = 40, 12

PUT = "schedules put/s, 100 at a time"
BYTES = "bytes in Redis, one schedule"
SENT = f"commands/s of {WORKERS} workers, {SPREAD:,} waiting"
RUN = f"commands/s inside their scripts, {SPREAD:,} waiting"
FIRED = f"{SPREAD:,} over an hour: fired late, p99 ms"
STARTED = f"{SPREAD:,} over an hour: started late, p99 ms"
ALL_FIRED = f"{AT_ONCE:,} at one moment: the last fired, ms late"
ALL_STARTED = f"{AT_ONCE:,} at one moment: the last started, ms late"

TARGETS = (
    Target(FIRED, "<= 1,000", at_most(OURS, 1_000)),
    Target(STARTED, "<= 1,000", at_most(OURS, 1_000)),
    Target(ALL_FIRED, "<= 3,000", at_most(OURS, 3_000)),
    Target(ALL_STARTED, "<= 3,000", at_most(OURS, 3_000)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    return over_an_hour(rig, subject) | at_one_moment(rig, subject)


def over_an_hour(rig: Rig, subject: Subject) -> Figures:
    """Their jitter spreads them over the hour that begins while they are watched."""
    rig.fresh()
    until_full_hour(rig, 600)
    before, began = rig.used_memory(), time.monotonic()
    asyncio.run(put(rig.url, SPREAD, jitter=HOUR))
    figures = {PUT: SPREAD / (time.monotonic() - began), BYTES: (rig.used_memory() - before) / SPREAD}
    with rig.workers(subject, WORKERS):
        rig.wait_until_known()
        until_full_hour(rig, IDLE_S + 8)
        time.sleep(5)
        sent, run = rig.commands(IDLE_S)
        expected = {name.decode(): due for name, due in rig.redis.zrange(Keys.SCHEDULES_DUE, 0, 9_999, withscores=True)}
        time.sleep(WATCHED_S)
        fired, started = lateness(rig, expected)
    if len(fired) < SPREAD / 3600 * (WATCHED_S - 10):
        raise RuntimeError(f"only {len(fired)} have fired")
    return figures | {SENT: sent / IDLE_S, RUN: run / IDLE_S, FIRED: p99(fired), STARTED: p99(started)}


def at_one_moment(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    until_full_hour(rig, 600)
    asyncio.run(put(rig.url, AT_ONCE))
    with rig.workers(subject, WORKERS):
        rig.wait_until_known()
        until_full_hour(rig, 5)
        expected = {name.decode(): due for name, due in rig.redis.zrange(Keys.SCHEDULES_DUE, 0, -1, withscores=True)}
        rig.wait_ran(AT_ONCE)
        time.sleep(1)
        fired, started = lateness(rig, expected)
    if len(started) < AT_ONCE:
        raise RuntimeError(f"only {len(started)} have started")
    return {ALL_FIRED: max(fired), ALL_STARTED: max(started)}


async def put(url: str, n: int, jitter: timedelta = timedelta(0)) -> None:
    async with connect(url):
        call, numbers = signature("noop"), iter(range(n))

        async def some() -> None:
            for number in numbers:
                await schedules.put(f"customer:{number}", call, every(HOUR), jitter=jitter)

        await asyncio.gather(*(some() for _ in range(100)))


def until_full_hour(rig: Rig, seconds: float) -> None:
    """For all scripts it is so long before a full hour."""
    now = time.time()
    rig.redis.set(Keys.CLOCK, round((3600 - now % 3600 - seconds) * 1000))


def lateness(rig: Rig, expected: dict[str, float]) -> tuple[list[float], list[float]]:
    """How many ms after the moment and its jitter each was stored, and was taken by a worker."""
    prefix = f"{Keys.RECORD}sched:"
    keys = list(rig.redis.scan_iter(f"{prefix}*", count=1000))
    with rig.redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hmget(key, "enqueued", "received")
        rows = pipe.execute()
    fired, started = [], []
    for key, (enqueued, received) in zip(keys, rows, strict=True):
        due = expected[key.decode().removeprefix(prefix).rpartition(":")[0]]
        fired.append(float(enqueued) - due)
        if received:
            started.append(float(received) - due)
    return fired, started


def p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]
