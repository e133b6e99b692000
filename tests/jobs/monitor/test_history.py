"""Numbers of 72 hours: in intervals of any length they are the sums of their minutes, whoever has looked before."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import pytest
from redis.asyncio import Redis

from jobs import connect
from jobs.client.connection import JobsRedis
from jobs.monitor_site import RANGES, history, tasks, totals_between
from jobs.store import keys
from jobs.store.keys import Keys
from jobs.store.store import now_ms
from tests.jobs.key_table import assert_as_documented
from tests.jobs.monitor.written_minutes import packed

TASKS = ["shop.charge", "shop.mail", "etl|load"]


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[JobsRedis]:
    async with connect(redis_url) as connection:
        yield connection


@pytest.fixture
async def written(connection: JobsRedis) -> dict[int, dict[str, int]]:
    """The counters of 72 hours and some minutes before, as workers of this release and of the last one write them;
    there are minutes without any, and some that both have written."""
    this, chance = await now_ms(connection) // 60_000, random.Random(7)
    found = {}
    async with connection.pipeline(transaction=False) as pipe:
        for minute in range(this - 72 * 60 - 90, this + 1):
            if chance.random() < 0.1:
                fields = {
                    f"{task}|{what}": chance.randrange(1, 50)
                    for task in chance.sample(TASKS, chance.randrange(1, 4))
                    for what in ("SUCCESS", "FAILURE", "run|7", "run|9", "wait|3", "run_ms")
                }
                fields |= {"|due|mail": chance.randrange(100), "|oldest|mail": 500, "|due|": 2, "|oldest|": 70_000}
                for task in ["|", *TASKS]:
                    own = {what: n for what, n in fields.items() if what.startswith(task)}
                    if own:
                        pipe.hset(f"{Keys.STATS}{minute}", mapping=packed(own) if (minute + len(task)) % 3 else own)
                pipe.expire(f"{Keys.STATS}{minute}", keys.STATS_KEPT_S)
                found[minute] = fields
        await pipe.execute()
    return found


def states_of(written: Mapping[int, Mapping[str, int]], first: int, last: int, task: str) -> Counter[str]:
    sums = Counter[str]()
    for minute in range(first, last + 1):
        for state in ("SUCCESS", "FAILURE"):
            for one in [task] if task else TASKS:
                if n := written.get(minute, {}).get(f"{one}|{state}"):
                    sums[state] += n
    return sums


@pytest.mark.parametrize("name", RANGES)
async def test_an_interval_is_the_sum_of_its_minutes(
    connection: JobsRedis, redis: Redis, written: dict[int, dict[str, int]], name: str
) -> None:
    size = RANGES[name].size
    for _ in range(2):  # added up, and as it was kept
        for task in ("", *TASKS):
            found = await history(connection, RANGES[name], task, patience_s=60)
            assert len(found) == RANGES[name].minutes // size
            for interval in found:
                first = int(interval.at.timestamp()) // 60
                assert first % size == 0
                assert interval.count
                assert interval.count.states == states_of(written, first, first + size - 1, task)
                inside = [written[minute] for minute in range(first, first + size) if minute in written]
                assert interval.due == max((fields["|due|mail"] + 2 for fields in inside), default=None)
                assert interval.oldest_due_s == (70 if inside else None)
            assert 0 <= await now_ms(connection) / 60_000 - first <= size + 1
    await assert_as_documented(redis)
    for raw in await redis.keys(f"{Keys.SUMS}*"):
        assert 0 < await redis.pttl(raw) <= (keys.STATS_KEPT_S + 3600) * 1000


async def test_the_counts_of_any_time(connection: JobsRedis, written: dict[int, dict[str, int]]) -> None:
    last = await now_ms(connection) // 60_000 - 3
    for minutes in (1, 7, 59, 60, 61, 360, 1_441, 4_310):
        first = last - minutes + 1
        counts = (await totals_between(connection, first, last, patience_s=60)).counts

        assert {task: counts[task].states for task in counts if task} == {
            task: states for task in TASKS if (states := states_of(written, first, last, task))
        }, minutes


async def test_a_look_that_would_take_too_long_leaves_the_oldest_for_the_next_one(
    connection: JobsRedis, written: dict[int, dict[str, int]]
) -> None:
    found = await history(connection, RANGES["72h"], patience_s=0)
    looks = 1
    while any(interval.count is None for interval in found):
        missing = [interval.count is None for interval in found]
        assert missing == sorted(missing, reverse=True)  # the newest come first
        began = time.monotonic()
        found, looks = await history(connection, RANGES["72h"], patience_s=0.001), looks + 1
        assert time.monotonic() - began < 1
    assert looks > 2
    assert found == await history(connection, RANGES["72h"], patience_s=60)


async def test_what_is_kept_and_damaged_is_counted_anew(
    connection: JobsRedis, redis: Redis, written: dict[int, dict[str, int]]
) -> None:
    before = await history(connection, RANGES["6h"], patience_s=60)
    for n, raw in enumerate(sorted(await redis.keys(f"{Keys.SUMS}*"))):
        if n % 5 == 0:
            await redis.set(raw, "text", ex=60)
        else:
            field = ["task:", "depth"][n % 2]
            await redis.hset(raw, field, [b"", b"\xc1", b"\x80", b"\x93\xc0\xc0\xc0"][n % 4])

    found = await history(connection, RANGES["6h"], patience_s=60)

    assert found[:-2] == before[:-2]


async def test_tasks_by_what_they_cost(connection: JobsRedis, written: dict[int, dict[str, int]]) -> None:
    for sort, best in (("time", lambda info: info.run_s), ("failures", lambda info: info.count.states["FAILURE"])):
        found = await tasks(connection, 1_440, sort)
        assert [best(info) for info in found] == sorted(map(best, found), reverse=True)
    assert [info.name for info in found] != sorted(TASKS)
    assert sum(info.share or 0 for info in found) == pytest.approx(1)
    assert [info.name for info in await tasks(connection)] == sorted(TASKS)
