"""Limits that hold for all workers together."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis

from jobs import monitor, task
from jobs.client.connection import JobsRedis
from jobs.errors import TaskRevoked
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import multiply
from tests.waiting import wait_until

beside: list[int] = []
_running = 0


@task(name="tests.paced", rate_limit="10/s")
async def paced() -> None: ...


@task(name="tests.narrow", max_concurrency=2)
async def narrow() -> None:
    global _running
    _running += 1
    beside.append(_running)
    await asyncio.sleep(0.05)
    _running -= 1


LIMITED = [paced, narrow, multiply]


async def test_a_rate_is_kept_by_all_workers_together_and_reached(start_worker: StartWorker) -> None:
    """By Redis's clock, which says when a job was received: on a busy machine a task may begin later than that."""
    for _ in range(2):
        await start_worker(tasks=LIMITED)

    results = [await paced.delay() for _ in range(25)]
    await asyncio.gather(*(result.get(timeout=10) for result in results))

    begun = [(await result.info()).started for result in results]
    starts = sorted(moment.timestamp() for moment in begun if moment)
    assert len(starts) == 25
    for first in starts:
        assert sum(first <= start < first + 1 for start in starts) <= 10
    assert starts[-1] - starts[0] < 24 / 10 * 1.1 + 0.1


async def test_jobs_that_wait_for_their_rate_keep_no_other_from_running(start_worker: StartWorker) -> None:
    await start_worker(tasks=LIMITED, max_jobs=2)
    waiting = [await paced.delay() for _ in range(300)]

    result = await multiply.delay(3, 3)

    assert await result.get(timeout=1) == 9
    assert await waiting[-1].state() == "PENDING"


async def test_a_changed_rate_gives_waiting_jobs_new_places(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(tasks=LIMITED)
    waiting = [await paced.delay() for _ in range(60)]

    await monitor.set_rate_limit(connection, "tests.paced", "500/s")

    await asyncio.gather(*(result.get(timeout=2) for result in waiting))
    await monitor.set_rate_limit(connection, "tests.paced", "10/s")


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


@task(name="tests.single", max_concurrency=1)
async def single(name: str) -> None:
    order.append(name)
    await gates[-1].wait()


@task(name="tests.trio", max_concurrency=3)
async def trio(name: str) -> None:
    order.append(name)
    await gates[-1].wait()


order: list[str] = []
gates: list[asyncio.Event] = []


@pytest.fixture
def closed_gate() -> asyncio.Event:
    """What each `single` waits for."""
    order.clear()
    gates.append(asyncio.Event())
    return gates[-1]


async def _blocked(connection: JobsRedis, count: int) -> bool:
    return await connection.zcard("jobs:blocked:tests.single") == count


async def test_a_job_that_was_called_and_revoked_calls_the_next(
    connection: JobsRedis, start_worker: StartWorker, closed_gate: asyncio.Event
) -> None:
    """Its turn had come, but no worker had started it."""
    await start_worker(tasks=[single])
    first, second, third = [await single.delay(name) for name in ("first", "second", "third")]
    await wait_until(lambda: _blocked(connection, 2), "two to wait")
    await monitor.pause(connection, "default")
    closed_gate.set()
    await first.get(timeout=5)

    await second.revoke()
    await monitor.resume(connection, "default")

    await third.get(timeout=5)
    assert order == ["first", "third"]


async def test_a_job_that_was_called_and_expires_calls_the_next(
    connection: JobsRedis, start_worker: StartWorker, closed_gate: asyncio.Event
) -> None:
    await start_worker(tasks=[single])
    first = await single.delay("first")
    await wait_until(lambda: order, "the first to start")
    second = await single.apply_async(("second",), expires=0.1)
    third = await single.delay("third")
    await wait_until(lambda: _blocked(connection, 2), "two to wait")
    await asyncio.sleep(0.15)

    closed_gate.set()

    await first.get(timeout=5)
    await third.get(timeout=5)
    with pytest.raises(TaskRevoked):
        await second.get(timeout=5)


@pytest.mark.parametrize("limit", [None, 3])
async def test_a_limit_that_is_lifted_frees_those_that_wait(
    connection: JobsRedis, start_worker: StartWorker, closed_gate: asyncio.Event, limit: int | None
) -> None:
    """A worker with the new limit starts while the others run."""
    await start_worker(tasks=[single])
    for name in ("first", "second", "third"):
        await single.delay(name)
    await wait_until(lambda: _blocked(connection, 2), "two to wait")

    await connection.declare_limits("tests.single", None, limit)

    await wait_until(lambda: len(order) == 3, "all to run", timeout_s=5)


async def test_a_long_line_is_freed_in_steps(redis: Redis, connection: JobsRedis) -> None:
    """A process that dies between two of them leaves the rest to the next worker that starts."""
    await connection.declare_limits("tests.single", None, 1)
    ids = [f"waits-{n}" for n in range(2_500)]
    await redis.zadd("jobs:blocked:tests.single", dict.fromkeys(ids, 1))
    await redis.zadd("arq:queue", dict.fromkeys(ids, 9e12))
    await redis.zadd("jobs:served", {"default": 9e12})

    await connection.declare_limits("tests.single", None, 3)
    assert await redis.zcount("arq:queue", "-inf", 1) == 3
    assert await connection.run_script("set_limits", "tests.single", "", "holders", "-") == 1
    assert await redis.zcount("arq:queue", "-inf", 1) == 1_003
    await connection.declare_limits("tests.single", None, None)

    assert await redis.zcount("arq:queue", "-inf", 1) == 2_500


async def test_a_job_that_waits_for_others_keeps_the_time_it_was_moved_to(
    connection: JobsRedis, start_worker: StartWorker, closed_gate: asyncio.Event
) -> None:
    await start_worker(tasks=[single])
    first, second, third = [await single.delay(name) for name in ("first", "second", "third")]
    await wait_until(lambda: _blocked(connection, 2), "two to wait")

    assert await second.reschedule(datetime.now() + timedelta(hours=2))
    closed_gate.set()

    await first.get(timeout=5)
    await third.get(timeout=5)
    assert order == ["first", "third"]
    assert await second.state() == "PENDING"


async def test_a_job_that_waits_for_its_rate_keeps_the_time_it_was_moved_to(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(tasks=LIMITED)
    waiting = [await paced.delay() for _ in range(12)]
    last = waiting[-1].id
    await wait_until(lambda: connection.zscore("jobs:places:tests.paced", last), "the last to have a place")

    assert await waiting[-1].reschedule(datetime.now() + timedelta(hours=2))
    await monitor.set_rate_limit(connection, "tests.paced", "500/s")

    await asyncio.gather(*(result.get(timeout=5) for result in waiting[:-1]))
    assert await connection.zscore("arq:queue", last) > (time.time() + 3600) * 1000
    await monitor.set_rate_limit(connection, "tests.paced", "10/s")


async def test_a_holder_that_redis_lost_sight_of_still_holds(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, closed_gate: asyncio.Event
) -> None:
    """After an outage every lease has lapsed, though its owner lives: for a while nobody may take its place either."""
    await start_worker(tasks=[single], lease_renewal=1)
    first = await single.delay("first")
    await wait_until(lambda: order, "the first to start")

    await redis.delete("jobs:alive", f"arq:in-progress:{first.id}")
    second = await single.delay("second")

    await wait_until(lambda: _blocked(connection, 1), "the second to wait", timeout_s=2)
    assert order == ["first"]
    await second.revoke()


@pytest.mark.parametrize("newcomers", [0, 1])
async def test_places_of_a_worker_that_is_gone_go_to_those_that_wait(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, closed_gate: asyncio.Event, newcomers: int
) -> None:
    """Its own jobs run again one at a time: the others hold no place until their turn has come."""
    await connection.declare_limits("tests.trio", None, 3)
    results = [await trio.delay(name) for name in ("killed", "killed", "killed", "waits", "waits")]
    rows, *_ = await connection.run_script("claim", "killed", "its token", 50, 5, 1, "default")
    assert [row[0].decode() for row in rows] == [result.id for result in results[:3]]
    results += [await trio.delay("waits") for _ in range(newcomers)]
    await redis.hset("jobs:alive", "back", 0)
    await asyncio.sleep(0.06)

    await start_worker(tasks=[trio])

    await wait_until(lambda: len(order) == 3, "three to run", timeout_s=5)
    assert sorted(order) == ["killed", "waits", "waits"]
    closed_gate.set()
    await asyncio.gather(*(result.get(timeout=10) for result in results))
    assert sorted(order) == ["killed"] * 3 + ["waits"] * (2 + newcomers)
