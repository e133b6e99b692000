"""One connection, many event loops: each loop has its own sockets, nothing hangs, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from jobs import Result, connect, send_task
from jobs.client.connection import JobsRedis
from jobs.errors import NotConnected
from jobs.store.keys import Keys
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

T = 10


def in_a_loop(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


@pytest.fixture(autouse=True)
async def nothing_stays_open(redis: Redis) -> AsyncIterator[None]:
    """After each test Redis has the connections from before it, that of the test itself and no other."""
    before = await connections(redis)

    async def are_closed() -> bool:
        return await connections(redis) <= before

    yield
    gc.collect()
    await wait_until(are_closed, "every connection to be closed")


async def connections(redis: Redis) -> set[str]:
    return {one["id"] for one in await redis.client_list()}


async def call() -> Result:
    return await tasks.multiply.delay(6, 7)


ASKED: dict[str, tuple[Callable[[Result], Awaitable[Any]], Any]] = {
    "get": (lambda result: result.get(timeout=T), 42),
    "await": (lambda result: asyncio.wait_for(result, T), 42),
    "state": (lambda result: result.state(), "SUCCESS"),
    "ready": (lambda result: result.ready(), True),
    "info": (lambda result: task_of(result), "tests.multiply"),
    "meta": (lambda result: result.meta(), None),
    "progress": (lambda result: all_of(result.progress()), []),
    "revoke": (lambda result: result.revoke(), "SUCCESS"),
    "children": (lambda result: result.children(), []),
}


async def task_of(result: Result) -> str:
    return (await result.info()).task


async def all_of(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def test_results_answer_in_the_loops_of_many_threads(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker()
    result = await call()
    await result.get(timeout=T)

    async def asked() -> dict[str, Any]:
        return {name: await ask(result) for name, (ask, _) in ASKED.items()}

    answers = await asyncio.gather(*(asyncio.to_thread(in_a_loop, asked) for _ in range(8)))

    assert answers == [{name: answer for name, (_, answer) in ASKED.items()}] * 8


async def test_threads_call_and_wait_while_this_loop_does_the_same(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker()

    async def call_and_wait() -> list[Any]:
        results = await tasks.multiply.apply_many([(n, 2) for n in range(20)])
        by_name = await send_task("tests.multiply", (5, 5))
        job = await connection.enqueue_job("tests.multiply", 1, 1)
        assert job is not None
        return [*await asyncio.gather(*results), await by_name, await job.result(timeout=T)]

    threads = [asyncio.to_thread(in_a_loop, call_and_wait) for _ in range(4)]
    answers = await asyncio.gather(call_and_wait(), *threads)

    assert answers == [[*range(0, 40, 2), 25, 1]] * 5


async def test_a_wait_in_a_thread_ends_in_time_and_by_the_end_of_its_job(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    result = await call()

    async def wait(seconds: float) -> Any:
        return await result.get(timeout=seconds)

    with pytest.raises(TimeoutError):
        await asyncio.to_thread(in_a_loop, lambda: wait(0.2))
    waiting = asyncio.create_task(asyncio.to_thread(in_a_loop, lambda: wait(T)))
    await start_worker()
    assert await waiting == 42


async def test_one_run_after_the_other_uses_one_result(redis_url: str, start_worker: StartWorker) -> None:
    """`connect()` in one `asyncio.run`, its result in later ones, with and without a connection of their own."""

    async def call_connected() -> Result:
        async with connect(redis_url):
            return await call()

    async def wait(result: Result) -> Any:
        return await result.get(timeout=T)

    async def wait_connected(result: Result) -> Any:
        async with connect(redis_url):
            return await Result(result.id).get(timeout=T) + await wait(result)

    await start_worker()
    result = await asyncio.to_thread(asyncio.run, call_connected())

    assert await asyncio.to_thread(asyncio.run, wait(result)) == 42
    assert await asyncio.to_thread(asyncio.run, wait_connected(result)) == 84
    assert await asyncio.to_thread(asyncio.run, wait(result)) == 42


def listens(redis_url: str) -> bool:
    """Does somebody listen for the ends of jobs?"""
    with SyncRedis.from_url(redis_url) as redis:
        return bool(redis.pubsub_channels(f"{Keys.REPLY}*"))


async def test_who_waits_in_another_loop_hears_that_the_owner_has_closed(redis_url: str) -> None:
    listening = threading.Event()

    async def wait(result: Result, connection: JobsRedis) -> Any:
        waiting = asyncio.create_task(result.get())
        await wait_until(lambda: listens(redis_url), "the subscription")
        listening.set()
        return await waiting

    async with connect(redis_url) as connection:
        result = await call()
        waiting = asyncio.create_task(asyncio.to_thread(in_a_loop, lambda: wait(result, connection)))
        await asyncio.to_thread(listening.wait)

    with pytest.raises(NotConnected, match="closed"):
        await waiting


async def test_a_loop_that_is_closed_while_a_get_waits_hurts_no_other(
    connection: JobsRedis, redis_url: str, start_worker: StartWorker
) -> None:
    result = await call()

    def careless() -> None:
        loop = asyncio.new_event_loop()
        waiting = loop.create_task(result.get())

        async def until_subscribed() -> None:
            await wait_until(lambda: listens(redis_url), "the subscription")

        loop.run_until_complete(until_subscribed())
        assert not waiting.done()
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # what asyncio would rightly say
        loop.close()

    await asyncio.to_thread(careless)
    await start_worker()

    assert await asyncio.to_thread(in_a_loop, lambda: result.get(timeout=T)) == 42
    assert await result.get(timeout=T) == 42


async def test_a_loop_that_stands_still_may_go_on(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker()
    result = await call()

    def twice() -> list[Any]:
        with asyncio.Runner() as runner:
            return [runner.run(result.get(timeout=T)) for _ in range(2)]

    assert await asyncio.to_thread(twice) == [42, 42]
