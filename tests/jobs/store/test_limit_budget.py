"""What one script of limits does at most, in commands: Redis serves nobody else meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from jobs import Limit, connect
from jobs.client.connection import JobsRedis
from jobs.monitor_site.model.limits import set_limit
from jobs.store import keys
from jobs.store.call import Call
from jobs.store.store import now_ms

TASK, MOST_COMMANDS = "tests.limited", 12_000
KEYED = keys.Keys.PLACES + TASK + "|a=1"


@pytest.fixture
async def counted(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[JobsRedis]:
    """Each script that says what the limits are is counted."""
    async with connect(redis_url) as redis:
        await redis.zadd(redis.key.SERVED, {"default": 1e15})
        run_script = redis.run_script

        async def run_and_count(name: Any, *words: Any) -> Any:
            await redis.config_resetstat()
            answer = await run_script(name, *words)
            found = await commands(redis)
            assert name != "set_limits" or found < MOST_COMMANDS, (name, words, found)
            return answer

        monkeypatch.setattr(redis, "run_script", run_and_count)
        yield redis


async def commands(redis: JobsRedis) -> int:
    """Since the last script began."""
    return sum(of["calls"] for of in (await redis.info("commandstats")).values())


async def wait(redis: JobsRedis, jobs: list[str]) -> int:
    """Jobs of these keys, all looked at by a worker; returns how many start."""
    for n in range(0, len(jobs), 1_000):
        await redis.enqueue(
            [Call(f"j{n + i}", "default", b"\x80", TASK, keys=one) for i, one in enumerate(jobs[n : n + 1_000])]
        )
    return await claim_all(redis)


async def claim_all(redis: JobsRedis) -> int:
    started, left_behind = 0, 1
    while left_behind:
        rows, _, left_behind, *_ = await redis.run_script("claim", "w", "w:1", 600_000, 500, 99, "default")
        started += len(rows)
    return started


async def places(redis: JobsRedis, key: str = KEYED) -> list[float]:
    return [score for _, score in await redis.zrange(key, 0, -1, withscores=True)]


async def order(redis: JobsRedis) -> list[bytes]:
    found: list[bytes] = await redis.zrange(KEYED, 0, -1)
    return found


@pytest.mark.parametrize("rates", [("60/m", "6/m"), ("6/m", "60/m"), ("6/m", "1000/s")])
async def test_another_rate_gives_all_who_wait_a_place_some_at_a_time(
    counted: JobsRedis, rates: tuple[str, str]
) -> None:
    before, after = rates
    await counted.declare_limits(TASK, Limit(before, per="a"), None)
    started = await wait(counted, ["a=1"] * 3_500)
    in_order = await order(counted)
    await set_limit(counted, TASK, "a=1", after)

    found = await places(counted)
    assert len(found) == 3_500 - started
    assert await order(counted) == in_order
    spacing = 1.05 * (60_000 / int(after[:-2]) if after[-1] == "m" else 1_000 / int(after[:-2]))
    steps = [late - early for early, late in pairwise(found)]
    assert sum(abs(step - spacing) > 1 for step in steps) <= 3  # where one script ended and the next began
    [following] = await counted.hmget(keys.Keys.RATE + TASK + "|a=1", "next")  # type: ignore[misc]
    assert float(following) > found[-1] - 1

    await set_limit(counted, TASK, "a=1", None)
    assert len(await places(counted)) == len(found)
    await counted.declare_limits(TASK, None, None)
    assert await places(counted) == []
    assert await claim_all(counted) == len(found)


async def test_a_deploy_with_another_rate_reaches_many_keys(counted: JobsRedis) -> None:
    await counted.declare_limits(TASK, Limit("1/m", per="a"), None)
    jobs = [f"a={n % 50}" for n in range(3_000)]
    await wait(counted, jobs)
    await counted.declare_limits(TASK, Limit("2/m", per="a"), None)
    for n in range(50):
        found = await places(counted, f"{keys.Keys.PLACES}{TASK}|a={n}")
        assert len(found) == 59
        assert max(found) - min(found) == pytest.approx(58 * 1.05 * 30_000, abs=5_000)
    assert not await counted.hexists(keys.Keys.LIMITS, f"{TASK}|recall")  # type: ignore[misc]


async def test_a_higher_limit_calls_those_of_many_keys_some_at_a_time(counted: JobsRedis) -> None:
    await counted.declare_limits(TASK, None, Limit(1, per="a"))
    started = await wait(counted, [f"a={n % 5}" for n in range(3_000)])
    assert started == 5
    await counted.declare_limits(TASK, None, Limit(2_000, per="a"))
    assert await claim_all(counted) == 2_995


async def test_jobs_that_wait_together_come_up_by_themselves_one_after_the_other(counted: JobsRedis) -> None:
    await counted.declare_limits(TASK, None, Limit(1, per="a"))
    await wait(counted, ["a=1"] * 2_000)
    now, hour = await now_ms(counted), 3_600_000
    net = [
        await counted.zcount("arq:queue", now + at, now + at + hour / 10) for at in range(hour, 2 * hour, hour // 10)
    ]
    assert sum(net) >= 1_990
    assert max(net) < 300
    plain = Call("plain", "default", b"\x80", "tests.plain")
    await counted.set(counted.key.CLOCK, hour + 60_000)
    await counted.enqueue([plain])
    rows, *_ = await counted.run_script("claim", "w", "w:2", 600_000, 1, 99, "default")
    assert [row[0] for row in rows] == [b"plain"]


async def test_a_renewal_looks_at_so_many_keys_of_all_tasks_together(counted: JobsRedis) -> None:
    for n in range(10):
        task = f"{TASK}.{n}"
        await counted.declare_limits(task, None, (1_000, Limit(1, per="a")))
        calls = [Call(f"{n}.{i}", "default", b"\x80", task, keys=f"a={i // 2}") for i in range(200)]
        await counted.enqueue(calls)
    await claim_all(counted)
    await counted.run_script("renew", "w", 60_000, "default", 0, 0)
    found = await commands(counted)
    assert found < 600


async def test_a_pause_of_a_queue_calls_so_many_of_all_keys_together(counted: JobsRedis) -> None:
    await counted.declare_limits(TASK, None, Limit(1, per="a"))
    await wait(counted, [f"a={n % 50}" for n in range(3_000)])
    await counted.hset(keys.Keys.OVERRIDES + TASK, mapping={f"a={n}|holders": 90 for n in range(50)})  # type: ignore[misc]
    await counted.run_script("pause", "other", 1)
    found = await commands(counted)
    assert found < 5_000
