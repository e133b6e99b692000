"""Limits that hold for all workers together."""

from __future__ import annotations

import asyncio
import time

from jobs import task
from jobs.connection import JobsRedis
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import multiply
from tests.waiting import wait_until

starts: list[float] = []
beside: list[int] = []
_running = 0


@task(name="tests.paced", rate_limit="10/s")
async def paced() -> None:
    starts.append(time.monotonic())


@task(name="tests.narrow", max_concurrency=2)
async def narrow() -> None:
    global _running
    _running += 1
    beside.append(_running)
    await asyncio.sleep(0.05)
    _running -= 1


LIMITED = [paced, narrow, multiply]


async def test_a_rate_is_kept_by_all_workers_together_and_reached(start_worker: StartWorker) -> None:
    starts.clear()
    for _ in range(2):
        await start_worker(tasks=LIMITED)

    results = [await paced.delay() for _ in range(25)]
    await asyncio.gather(*(result.get(timeout=10) for result in results))

    for first in starts:
        assert sum(first <= start < first + 1 for start in starts) <= 10
    assert starts[-1] - starts[0] < 24 / 10 * 1.1 + 0.1


async def test_jobs_that_wait_for_their_rate_keep_no_other_from_running(start_worker: StartWorker) -> None:
    await start_worker(tasks=LIMITED, max_jobs=2)
    waiting = [await paced.delay() for _ in range(300)]

    result = await multiply.delay(3, 3)

    assert await result.get(timeout=1) == 9
    assert await waiting[-1].state() == "PENDING"


async def test_a_changed_rate_gives_waiting_jobs_new_places(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(tasks=LIMITED)
    waiting = [await paced.delay() for _ in range(60)]

    await connection.set_rate_limit("tests.paced", "500/s")

    await asyncio.gather(*(result.get(timeout=2) for result in waiting))
    await connection.set_rate_limit("tests.paced", "10/s")


async def test_a_revoked_job_frees_its_place(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(tasks=LIMITED)
    waiting = [await paced.delay() for _ in range(12)]
    await wait_until(lambda: _places(connection, 11), "all but the first to have a place")
    last = int(await connection.zscore("arq:queue", waiting[-1].id))

    await waiting[5].revoke()

    assert int(await connection.zscore("arq:queue", waiting[-1].id)) < last
    await waiting[-1].get(timeout=5)


async def _places(connection: JobsRedis, at_least: int) -> bool:
    return await connection.zcard("jobs:places:tests.paced") >= at_least - 2


async def test_no_more_than_its_limit_run_beside_each_other(start_worker: StartWorker) -> None:
    beside.clear()
    for _ in range(2):
        await start_worker(tasks=LIMITED)

    results = [await narrow.delay() for _ in range(20)]
    await asyncio.gather(*(result.get(timeout=10) for result in results))

    assert len(beside) == 20
    assert max(beside) == 2
