"""A waiting job can be moved to another time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from jobs import Result, connect, task


@task(name="tests.reschedule.nothing")
async def nothing() -> None: ...


async def test_a_waiting_job_is_moved(redis: Redis, redis_url: str) -> None:
    eta = datetime.now(UTC) + timedelta(hours=1)

    async with connect(redis_url):
        result = await nothing.apply_async(countdown=86_400)
        moved = await result.reschedule(eta)

    assert moved
    assert await redis.zscore("arq:queue", result.id) == int(eta.timestamp() * 1000)
    assert await redis.llen("jobs:wake:default") == 1


async def test_a_job_that_runs_or_is_unknown_stays(redis: Redis, redis_url: str) -> None:
    async with connect(redis_url):
        assert not await Result("nobody").reschedule(datetime.now(UTC))
        result = await nothing.delay()
        await redis.hset(f"jobs:job:{result.id}", "state", "STARTED")
        assert not await result.reschedule(datetime.now(UTC))
