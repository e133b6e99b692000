"""What a retry forgets of a job with steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobs import CurrentJob, NotUnique, Unique, task
from jobs.testing import Clock, Workers
from jobs.worker import Worker
from tests.jobs.durable.durable_tasks import done


async def fails_at_first(times: int, size: int) -> str:
    done["bad"] += 1
    if done["bad"] <= times:
        raise ValueError("x" * size)
    return "done"


@task(name="durable.fails_large", bind=True, autoretry_for=(ValueError,), max_retries=9, default_retry_delay=0)
async def fails_large(self: CurrentJob) -> Any:
    return await self.step("bad", fails_at_first, 3, 900_000)


@task(name="durable.retried_early", bind=True, autoretry_for=(OSError,), max_retries=9, default_retry_delay=0)
async def retried_early(self: CurrentJob) -> Any:
    done["runs"] += 1
    if done["runs"] == 2:
        raise OSError("before the first step of this run")
    try:
        return await self.step("bad", fails_at_first, 1, 1)
    except ValueError:
        await self.sleep(60)
        return "failed"


@task(name="durable.only", unique=Unique("n"))
async def only(n: int) -> int:
    return n


@task(name="durable.asks_only", bind=True, autoretry_for=(NotUnique,), max_retries=1, default_retry_delay=60)
async def asks_only(self: CurrentJob) -> Any:
    return await self.run(only.s(7))


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    async with jobs_worker(tasks=[fails_large, retried_early, only, asks_only]) as worker:
        worker.pool.replays = False
        yield worker


async def test_bytes_of_a_failure_that_is_forgotten_count_no_more(worker: Worker) -> None:
    result = await fails_large.delay()
    assert await result.get(timeout=10) == "done"

    key = worker.pool.key
    kept = sum(map(len, await worker.pool.hvals(key.STEPS + result.id)))  # type: ignore[misc]
    assert int(await worker.pool.hget(key.RECORD + result.id, "steps")) == kept + 1  # type: ignore[misc, arg-type]


async def test_a_retry_before_the_first_step_of_its_run_forgets_failures_too(worker: Worker, jobs_clock: Clock) -> None:
    result = await retried_early.delay()
    await jobs_clock.advance(seconds=61)

    assert await result.get(timeout=5) == "done"
    assert done["runs"] == 3


async def test_a_retry_calls_a_child_again_whose_key_another_job_had(worker: Worker, jobs_clock: Clock) -> None:
    holder = await only.apply_async((7,), countdown=30)
    result = await asks_only.delay()
    await jobs_clock.advance(seconds=31)
    assert await holder.state() == "SUCCESS"
    await jobs_clock.advance(seconds=60)

    assert await result.get(timeout=5) == 7
