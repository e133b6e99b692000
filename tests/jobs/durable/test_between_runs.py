"""A job between two of its runs, and what others do to it then: a purge, limits, workers of an earlier release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from jobs import CurrentJob, EventRefused, Limit, Result, monitor, task
from jobs.store.keys import LAST_MS
from jobs.testing import Clock, Workers
from jobs.worker import Worker
from tests.jobs.durable.durable_tasks import child, note
from tests.waiting import wait_until


@task(name="between.waits", bind=True)
async def waits(self: CurrentJob) -> object:
    await self.step("pay", note, "pay")
    return await self.wait_for_event("word")


@task(name="between.asks_twice", bind=True)
async def asks_twice(self: CurrentJob) -> list[object]:
    first = await self.wait_for_event("approval")
    await self.sleep(60)
    return [first, await self.wait_for_event("approval")]


async def until_called(job: Result) -> None:
    async def is_known() -> bool:
        return await job.state() != "UNKNOWN"

    await wait_until(is_known, "the child to be called")


@task(name="between.leaves", bind=True)
async def leaves(self: CurrentJob) -> object:
    left = asyncio.create_task(self.run(child.signature(("late",), countdown=60)))
    late = Result(f"{self.request.id}::run:durable.child")
    await self.step("until it is called", until_called, late)
    left.cancel()
    return await self.wait_for_event("word")


@task(name="between.sleeps", bind=True, rate_limit="1/h", max_concurrency=Limit(5, per="x"))
async def sleeps(self: CurrentJob, x: int) -> str:
    await self.sleep(10)
    return "awake"


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    async with jobs_worker(tasks=[waits, leaves, sleeps, asks_twice, child]) as worker:
        worker.pool.replays = False
        yield worker


async def test_a_purge_leaves_one_alone_that_an_event_has_woken(worker: Worker, jobs_clock: Clock) -> None:
    redis, result = worker.pool, await waits.delay()
    await jobs_clock.advance()
    await monitor.pause(redis, "default")
    await result.send_event("word", "yes")

    counted = await monitor.purgeable(redis, ["default"])
    assert (counted.due, counted.scheduled) == (0, 0)
    assert [n async for n in monitor.purge_queue(redis, "default", scheduled=True)] == [0]
    assert await monitor.purge(redis, [result.id]) == 0

    await monitor.resume(redis, "default")
    assert await result.get(timeout=5) == "yes"


async def test_to_go_on_is_no_start_though_a_worker_has_to_say_the_keys(worker: Worker, jobs_clock: Clock) -> None:
    result = await sleeps.delay(1)
    await jobs_clock.advance(seconds=1)
    await worker.pool.hdel(worker.pool.key.RECORD + result.id, "keys")  # type: ignore[misc]
    await jobs_clock.advance(minutes=1)
    assert await result.get(timeout=5) == "awake"


async def _unparked(worker: Worker, result: Result) -> int:
    """What a worker of an earlier release does at the end of a child: the job is due as its record says."""
    redis, record = worker.pool, worker.pool.key.RECORD + result.id
    await redis.hdel(record, "parked")  # type: ignore[misc]
    due = int(await redis.hget(record, "due"))  # type: ignore[misc, arg-type]
    await redis.zadd(redis.key.QUEUE, {result.id: due})
    return due


async def test_an_event_wakes_one_that_an_earlier_release_has_unparked(worker: Worker, jobs_clock: Clock) -> None:
    result = await waits.delay()
    await jobs_clock.advance()
    await _unparked(worker, result)
    await result.send_event("word", "yes")
    assert await result.get(timeout=5) == "yes"


async def test_it_parks_again_whether_it_awaits_the_child_or_not(worker: Worker, jobs_clock: Clock) -> None:
    result = await leaves.delay()
    await jobs_clock.advance()
    assert await _unparked(worker, result) < LAST_MS
    await worker.pool.lpush(worker.pool.key.WAKE + "default", 1)  # type: ignore[misc]
    await jobs_clock.advance()
    assert await worker.pool.hexists(worker.pool.key.RECORD + result.id, "parked")  # type: ignore[misc]
    assert await result.state() == "STARTED"


async def test_what_an_earlier_release_has_revoked_does_not_stay_for_ever(worker: Worker, jobs_clock: Clock) -> None:
    redis, result = worker.pool, await waits.delay()
    await jobs_clock.advance()
    record = {"state": "REVOKED", "until": 1}
    await redis.hset(redis.key.RECORD + result.id, mapping=record)  # type: ignore[misc]
    await redis.delete(redis.key.JOB + result.id)
    await redis.zrem(redis.key.QUEUE, result.id)
    assert not await monitor.awaiting(redis)

    other = await waits.delay()
    await jobs_clock.advance()

    assert await redis.zrange(redis.key.AWAITING, 0, -1) == [other.id.encode()]
    assert await redis.pttl(redis.key.STEPS + result.id) != -1


async def test_a_second_answer_is_not_kept_for_the_next_question(worker: Worker, jobs_clock: Clock) -> None:
    result = await asks_twice.delay()
    await jobs_clock.advance()
    await monitor.send_event(worker.pool, result.id, "approval", "ann", is_answer=True)
    for _ in range(2):
        with pytest.raises(EventRefused, match="it has been answered"):
            await monitor.send_event(worker.pool, result.id, "approval", "bob", is_answer=True)
        await jobs_clock.advance(seconds=10)

    await jobs_clock.advance(minutes=2)
    assert await result.state() == "STARTED"
    await monitor.send_event(worker.pool, result.id, "approval", "eve", is_answer=True)
    assert await result.get(timeout=5) == ["ann", "eve"]
