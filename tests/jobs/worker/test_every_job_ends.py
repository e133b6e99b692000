"""Whatever a job holds, raises or is called, it ends; none keeps the others, or its worker, from going on."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import msgpack
import pytest
from arq.worker import func
from redis.asyncio import Redis

from jobs import Result, encoding, every, task
from jobs.client.connection import JobsRedis
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import log, multiply, nap
from tests.waiting import wait_until

LONE_SURROGATE = b"caf\xe9.txt".decode(errors="surrogateescape")
"""What `os.listdir()` gives for a name that is not UTF-8."""


@task(name="tests.odd_name", ignore_result=True)
async def odd_name() -> None:
    raise FileNotFoundError(2, "No such file", LONE_SURROGATE)


@task(name="tests.odd_text")
async def odd_text() -> None:
    raise ValueError(f"no such file: {LONE_SURROGATE}")


@task(name="tests.endless_retry", bind=True)
async def endless_retry(self: Any) -> None:
    self.retry(countdown=math.inf)


@task(name="tests.exhausted")
def exhausted() -> None:
    next(iter([]))


ODD = [odd_name, odd_text, endless_retry, exhausted, multiply]


@pytest.mark.parametrize("odd", [odd_name, odd_text, endless_retry, exhausted], ids=lambda odd: odd.name)
async def test_an_exception_of_any_kind_ends_its_job(
    connection: JobsRedis, start_worker: StartWorker, odd: Any
) -> None:
    worker = await start_worker(tasks=ODD, max_jobs=1)

    result = await odd.delay()

    await wait_until(lambda: _is(result, "FAILURE"), "the job to fail", timeout_s=5)
    assert await (await multiply.delay(2, 2)).get(timeout=5) == 4
    await wait_until(lambda: worker.statistics().running == 0, "nothing to be held")


@task(name="tests.leave")
async def leave(kind: str) -> None:
    raise LEAVING[kind](3)


async def leave_in_arq(ctx: dict[Any, Any], kind: str) -> None:
    raise LEAVING[kind](3)


LEAVING: dict[str, type[BaseException]] = {cls.__name__: cls for cls in (SystemExit, GeneratorExit, BaseException)}


async def test_what_ends_a_program_ends_a_job_alone(connection: JobsRedis, start_worker: StartWorker) -> None:
    worker = await start_worker(tasks=[leave, multiply], functions=[leave_in_arq])

    for kind in LEAVING:
        called = await connection.enqueue_job("leave_in_arq", kind)
        assert called is not None
        for result in (await leave.delay(kind), Result(called.job_id)):
            assert kind in repr(await result.get(timeout=5, propagate=False))

    assert await (await multiply.delay(2, 2)).get(timeout=5) == 4
    assert not worker.main_task.done()


async def test_what_it_raised_is_told_though_its_text_is_odd(start_worker: StartWorker) -> None:
    await start_worker(tasks=ODD)

    with pytest.raises(ValueError, match="no such file: caf"):
        await (await odd_text.delay()).get(timeout=5)


def _call(**changed: Any) -> bytes:
    return encoding.dumps({"t": None, "f": "tests.multiply", "a": [1, 2], "k": {}, "et": 1, **changed})


def _nested(depth: int) -> bytes:
    """Deeper than can be encoded, not too deep to be decoded."""
    arguments = b"\x91" * depth + b"\x01"
    return _call(a=["HERE"]).replace(msgpack.packb("HERE"), arguments)


HOSTILE = {
    "try": _call(t="many"),
    "nested": _nested(600),
    "options": _call(o=[1]),
    "time": _call(et=10**30),
    "keywords": _call(k={1: 2}),
    "list": encoding.dumps([1, 2, 3]),
    "empty": b"",
    "cut": _call()[:-3],
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_payload_fails_alone(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, payload: bytes
) -> None:
    worker = await start_worker(tasks=ODD, max_jobs=1)

    await redis.set("arq:job:odd", payload)
    await redis.zadd("arq:queue", {"odd": 1})

    await wait_until(lambda: _ended(redis, "odd"), "it to end", timeout_s=5)
    assert await (await multiply.delay(2, 2)).get(timeout=5) == 4
    await wait_until(lambda: worker.statistics().running == 0, "nothing to be held")


async def test_an_id_that_is_not_text_is_dropped(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    worker = await start_worker(tasks=ODD)
    await redis.set(b"arq:job:\xff", _call())
    await redis.zadd("arq:queue", {b"\xff": 1})

    await wait_until(lambda: _gone(redis), "it to be dropped", timeout_s=5)

    assert await (await multiply.delay(2, 2)).get(timeout=5) == 4
    assert not await redis.exists(b"arq:job:\xff", b"jobs:job:\xff", b"arq:in-progress:\xff")
    assert worker.main_task is not None
    assert not worker.main_task.done()


async def test_an_order_that_is_not_text_does_not_deafen_a_worker(redis: Redis, start_worker: StartWorker) -> None:
    worker = await start_worker(tasks=ODD)
    channel = f"jobs:control:{worker.statistics().name}"
    await wait_until(lambda: redis.publish(channel, "nothing"), "it to listen")

    await redis.publish(channel, b"\xff\xfe")
    await redis.publish(channel, "quiet")

    await wait_until(lambda: worker.statistics().quiet, "it to hear the second", timeout_s=4)


async def test_an_id_that_a_stock_producer_uses_again_is_a_new_job(redis_url: str, start_worker: StartWorker) -> None:
    """arq keeps an id for as long as its result: after that it is free."""
    from arq.connections import RedisSettings, create_pool

    runs: list[int] = []

    async def note(ctx: dict[Any, Any], number: int) -> None:
        runs.append(number)

    await start_worker(functions=[func(note, name="note", keep_result=0)])
    settings = RedisSettings(unix_socket_path=redis_url.removeprefix("unix://"))
    stock = await create_pool(settings, job_serializer=encoding.dumps, job_deserializer=encoding.loads_job)

    for number in range(2):
        assert await stock.enqueue_job("note", number, _job_id="nightly") is not None
        await wait_until(lambda: len(runs) > number, f"run {number}", timeout_s=5)  # noqa: B023
        await wait_until(lambda: _free(stock), "the id to be free")
    await stock.aclose()

    assert runs == [0, 1]


async def test_a_schedule_that_cannot_be_fired_keeps_nobody_waiting(start_worker: StartWorker) -> None:
    second = timedelta(seconds=1)
    schedules = [
        every(log, second, name="bad", args=("x" * 300_000,)),  # too large for a call
        every(multiply, second, name="good", args=(2, 2)),
    ]
    worker = await start_worker(tasks=[multiply, log], cron_jobs=schedules)

    assert await (await multiply.delay(2, 2)).get(timeout=5) == 4
    await wait_until(lambda: worker.statistics().counts["SUCCESS"] > 2, "the good one to run", timeout_s=5)


async def _free(redis: Redis) -> bool:
    return not await redis.exists("arq:job:nightly")


async def _gone(redis: Redis) -> bool:
    return await redis.zscore("arq:queue", b"\xff") is None


async def _ended(redis: Redis, job_id: str) -> bool:
    return await redis.hget(f"jobs:job:{job_id}", "state") in (b"FAILURE", b"SUCCESS")


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state


async def test_what_is_said_of_an_earlier_run_does_not_stop_the_later_one(start_worker: StartWorker) -> None:
    """A renewal under way while the job was put back and claimed again here answers that its first run lost it."""
    worker = await start_worker(tasks=[nap])
    result = await nap.delay(0.5)
    engine = worker.engine
    assert engine is not None
    await wait_until(lambda: result.id in engine.held, "the job to start")

    engine.stop_job(result.id, "lost", "the token of an earlier run")

    assert await result.get(timeout=5) == "rested"
