"""Waiting jobs that are moved to another queue: with claims at the same moment, and with what limits hold for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from jobs import chain, monitor, task
from jobs.client.connection import JobsRedis
from jobs.errors import WrongValue
from jobs.store.keys import Keys
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import fail, log, multiply, nap
from tests.waiting import wait_until

runs = Counter[int]()


@task(name="tests.move.once")
async def once(n: int) -> None:
    runs[n] += 1


@task(name="tests.move.one", max_concurrency=1)
async def one(n: int) -> int:
    await asyncio.sleep(0.02)
    return n


@task(name="tests.move.paced", rate_limit="20/s")
async def paced(n: int) -> int:
    return n


async def queues_of(connection: JobsRedis, job_id: str, *names: str) -> list[str]:
    """Those of these queues that hold the job."""
    return [name for name in names if await connection.zscore(connection.key.queue_key(name), job_id) is not None]


async def test_only_what_waits_is_moved_and_twice_is_once(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(queues=["default"])
    ended, failed, naps = await log.delay("x"), await fail.delay("x"), await nap.delay(30)
    flow = await chain(nap.s(30), log.s()).delay()

    async def begun() -> bool:
        states = [await result.state() for result in (ended, failed, naps, flow)]
        return states == ["SUCCESS", "FAILURE", "STARTED", "STARTED"]

    await wait_until(begun, "all of them to have begun")
    await monitor.pause(connection, "default")
    due, later = await multiply.delay(2, 3), await multiply.apply_async((2, 4), countdown=600)
    score = await connection.zscore(Keys.QUEUE, later.id)
    ids = [ended.id, failed.id, naps.id, flow.id, "nobody", due.id, later.id]

    for _ in range(2):
        assert await monitor.move(connection, ids, "other") == [False] * 5 + [True] * 2

    assert await queues_of(connection, due.id, "default", "other") == ["other"]
    assert await connection.zscore("arq:queue:other", later.id) == score
    assert [info.name for info in await monitor.queues(connection) if info.due] == ["other"]
    await start_worker(queues=["other"])
    assert await due.get(timeout=5) == 6
    assert (await due.info()).queue == "other"
    with pytest.raises(WrongValue):
        await monitor.move(connection, [later.id], "=arq:job:x")


async def test_a_job_that_is_moved_while_workers_claim_runs_once(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    runs.clear()
    results = await once.apply_many([(n,) for n in range(300)], queue="left")
    ids = [result.id for result in results]
    for queue in ("left", "right"):
        await start_worker(tasks=[once], queues=[queue], max_jobs=3)

    moved = Counter[bool]()
    for turn in range(1000):
        moved.update(await monitor.move(connection, ids, ("right", "left")[turn % 2]))
        if not any([await connection.zcard(f"arq:queue:{queue}") for queue in ("left", "right")]):
            break

    await asyncio.gather(*(result.get(timeout=10) for result in results))
    assert runs == Counter(range(300))
    assert {(await result.info()).attempts for result in results} == {1}
    assert moved[True] > 0


@pytest.mark.parametrize("limited", [one, paced], ids=["concurrency", "rate"])
async def test_what_a_limit_holds_back_is_called_in_the_queue_that_it_was_moved_to(
    connection: JobsRedis, start_worker: StartWorker, limited: Any
) -> None:
    worker = await start_worker(tasks=[limited], queues=["left"])
    results = await limited.apply_many([(n,) for n in range(12)], queue="left")
    held = Keys.BLOCKED if limited is one else Keys.PLACES

    async def some_are_held() -> bool:
        return bool(await connection.zcard(held + limited.name) > 5)

    await wait_until(some_are_held, "jobs to wait for the limit")
    await monitor.move(connection, [result.id for result in results], "right")
    await start_worker(tasks=[limited], queues=["right"])

    assert await asyncio.gather(*(result.get(timeout=10) for result in results)) == list(range(12))
    queues = Counter([(await result.info()).queue for result in results])
    assert queues["right"] > 5
    assert await connection.zcard(held + limited.name) == 0
    assert worker.statistics().running == 0


async def test_a_job_that_nobody_knew_is_due_at_once_where_somebody_does(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(queues=["wrong"])
    lost = await once.apply_async((7,), queue="wrong")

    async def put_back() -> bool:
        return bool(await connection.hget(Keys.RECORD + lost.id, "unknown"))

    await wait_until(put_back, "the worker to put it back")
    await start_worker(tasks=[once], queues=["right"])
    assert await monitor.move(connection, [lost.id], "right") == [True]

    await lost.get(timeout=2)
