"""An event that comes before a job has started changes nothing else of it: its key, its time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobs import CurrentJob, TaskRevoked, Unique, task
from jobs.testing import Clock, Workers
from jobs.worker import Worker


@task(name="before.unique", bind=True, unique=Unique("x", until="start"))
async def until_start(self: CurrentJob, x: int) -> object:
    return await self.wait_for_event("word")


@task(name="before.expires", bind=True)
async def expires(self: CurrentJob) -> object:
    return await self.wait_for_event("word")


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    async with jobs_worker(tasks=[until_start, expires]) as worker:
        yield worker


async def test_its_key_is_its_own_until_it_starts(worker: Worker, jobs_clock: Clock) -> None:
    first = await until_start.apply_async((1,), countdown=60)
    await first.send_event("word", "early")
    assert (await until_start.apply_async((1,), countdown=60)).id == first.id

    await jobs_clock.advance(minutes=2)
    assert await first.get(timeout=5) == "early"
    second = await until_start.delay(1)
    await jobs_clock.advance()
    third = await until_start.apply_async((1,), countdown=60)
    assert first.id != second.id != third.id


async def test_it_expires(worker: Worker, jobs_clock: Clock) -> None:
    result = await expires.apply_async(countdown=120, expires=60)
    await result.send_event("word")
    await jobs_clock.advance(minutes=3)
    assert isinstance(await result.get(timeout=5, propagate=False), TaskRevoked)
