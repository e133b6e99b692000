"""Ways to call a task beside `.delay()`, and to wait for its result."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from jobs import Result, send_task, signature
from jobs.client.connection import JobsRedis
from jobs.errors import UnknownTask
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker


async def test_many_calls_travel_together_and_keep_their_order(
    connection: JobsRedis, redis: Redis, start_worker: StartWorker
) -> None:
    await tasks.log.delay("so that Redis knows the script")
    before = await _calls_of_scripts(redis)

    results = await tasks.multiply.apply_many((i, i + 5) for i in range(10))

    assert await _calls_of_scripts(redis) - before == 1
    await start_worker()
    answers = [await result.get(timeout=5) for result in results]
    assert answers == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


async def test_many_calls_may_be_signatures_with_options_of_their_own(start_worker: StartWorker) -> None:
    await start_worker()

    results = await tasks.multiply.apply_many(
        [tasks.multiply.s(2, y=3), tasks.multiply.signature((4, 5), task_id="mine")]
    )

    assert [await result.get(timeout=5) for result in results] == [6, 20]
    assert results[1] == Result("mine")


async def test_if_one_of_many_is_refused_none_is_sent(connection: JobsRedis, redis: Redis) -> None:
    with pytest.raises(TypeError, match=r"tests\.multiply: missing a required argument: 'y'"):
        await tasks.multiply.apply_many([(1, 2), (3,)])
    with pytest.raises(TypeError, match="a call of another task"):
        await tasks.multiply.apply_many([(1, 2), tasks.log.s("x")])

    assert await redis.dbsize() == 0
    assert await tasks.multiply.apply_many([]) == []


async def test_a_task_can_be_called_by_its_name_alone(start_worker: StartWorker) -> None:
    await start_worker()

    assert await (await send_task("tests.multiply", (4,), {"y": 4}, countdown=0)).get(timeout=5) == 16
    assert await (await signature("tests.multiply", (4, 4)).delay()).get(timeout=5) == 16


async def test_a_name_that_no_worker_knows_fails_in_the_end(start_worker: StartWorker) -> None:
    await start_worker(unknown_task_patience=0)

    with pytest.raises(UnknownTask, match=r"tests\.nobody"):
        await (await send_task("tests.nobody")).get(timeout=5)


async def test_time_up_is_a_timeout_and_changes_nothing(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.nap.delay(2)
    began = time.monotonic()

    late = f"^job {result.id} has not ended after 0.05 s; `python -m jobs why {result.id}` says why$"
    with pytest.raises(TimeoutError, match=late):
        await result.get(timeout=0.05)
    with pytest.raises(TimeoutError, match=late):
        await asyncio.to_thread(result.blocking.get, timeout=0.05)

    assert time.monotonic() - began < 1
    assert not await result.ready()
    assert await result == "rested"
    assert await result.successful()
    assert not await result.failed()
    assert await result.status() == "SUCCESS"


async def test_what_it_raised_may_be_returned_instead(start_worker: StartWorker) -> None:
    await start_worker()
    result = await tasks.fail.delay("no luck")

    error = await result.get(timeout=5, propagate=False)

    assert isinstance(error, ValueError)
    assert await result.failed()


async def _calls_of_scripts(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))
