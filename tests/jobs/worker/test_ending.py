"""A worker that is told to stop ends, at whatever moment it is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from arq.worker import create_worker

from jobs import every, group, worker_settings
from jobs.client.connection import JobsRedis
from jobs.store.script_connection import ScriptConnection
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker, stop_at_once
from tests.waiting import wait_until


@pytest.mark.timeout(120)
async def test_a_worker_stopped_while_it_starts_ends(start_worker: StartWorker) -> None:
    """Each time a little later, until it has written its first health record: once it hung there."""
    for place in range(200):
        worker = await start_worker(cron_jobs=[every(tasks.log, timedelta(hours=1), args=["x"])])
        await asyncio.sleep(place * 0.00005)
        async with asyncio.timeout(10):
            await worker.close()


async def test_a_job_that_came_to_its_retry_is_no_suspect(connection: JobsRedis, start_worker: StartWorker) -> None:
    result = await tasks.flaky.delay(1)
    await connection.hset(f"jobs:job:{result.id}", mapping={"suspect": 1, "crashes": 2, "deaths": 3})
    await start_worker()

    assert await result.get(timeout=5) == 1
    assert await connection.hmget(f"jobs:job:{result.id}", "suspect", "crashes", "deaths") == 3 * [None]


async def test_a_worker_whose_main_is_cancelled_leaves_no_code_behind_and_uses_no_attempt(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    """As an application does that runs one in its own loop: nothing has told the worker to stop."""
    worker = await start_worker()
    result = await tasks.nap.delay(60)
    await wait_until(lambda: worker.statistics().running, "the job to run")
    before = asyncio.all_tasks()

    assert worker.main_task is not None
    worker.main_task.cancel()
    await asyncio.gather(worker.main_task, return_exceptions=True)

    assert await result.state() == "PENDING"
    info = await result.info()
    assert info is not None
    assert (info.attempts, info.retries) == (0, 0)
    assert not [task for task in asyncio.all_tasks() & before if "_run_one" in repr(task)]


async def test_a_job_that_is_claimed_while_its_worker_stops_is_released(
    connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker()
    result = await tasks.nap.apply_async((60,), countdown=0.1)
    claims, run = asyncio.Event(), ScriptConnection.run

    async def noted(self: ScriptConnection, script: Any, args: Any) -> Any:
        if script == "claim":
            claims.set()
        return await run(self, script, args)

    await connection.execute_command("CLIENT", "PAUSE", 500, "ALL")
    monkeypatch.setattr(ScriptConnection, "run", noted)
    await claims.wait()
    assert worker.main_task is not None
    async with asyncio.timeout(10):
        await stop_at_once(worker)
        await asyncio.gather(worker.main_task, return_exceptions=True)

    info = await result.info()
    assert info is not None
    assert (info.state, info.attempts, info.retries) == ("PENDING", 0, 0)


async def test_a_worker_that_is_cancelled_while_it_starts_ends(redis_url: str) -> None:
    """A library's timeout may swallow a cancellation: redis-py's does while it connects."""
    for steps in (0, 1, 2, 3, 4, 5, 10, 20, 50):
        worker = create_worker(worker_settings(redis_url=redis_url, tasks=tasks.ALL, handle_signals=False))
        worker.main_task = running = asyncio.create_task(worker.main())
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()

        done, _ = await asyncio.wait([running], timeout=5)
        assert done, steps
        await worker.close()


async def test_a_workflow_that_began_just_now_keeps_no_worker(connection: JobsRedis, start_worker: StartWorker) -> None:
    """Its first question to Redis may swallow the cancellation: at another distance from its start each time."""
    for steps in range(0, 40, 2):
        worker = await start_worker()
        result = await group(tasks.nap.s(60), tasks.nap.s(60)).delay()
        while not worker.statistics().started:  # noqa: ASYNC110 - each step of the loop counts
            await asyncio.sleep(0)
        for _ in range(steps):
            await asyncio.sleep(0)

        async with asyncio.timeout(5):
            await stop_at_once(worker)
        await result.revoke()
