"""A Redis that is away, or takes nothing, fails no job, keeps no worker running, and is waited for at the start."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from jobs import Result, chain, connect, task
from jobs.client.connection import JobsRedis
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartProcess, StartWorker
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of this test's own, that it may stop."""
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


async def test_an_idle_worker_ends_on_sigterm_though_redis_is_away(
    server: RedisServer, start_process: StartProcess
) -> None:
    worker = await start_process(url=server.url)
    async with connect(server.url):
        await (await tasks.multiply.delay(2, 2)).get(timeout=10)
    server.kill9()
    await wait_until(lambda: "cannot claim jobs" in worker.text, "it to notice", timeout_s=20)

    worker.process.send_signal(signal.SIGTERM)

    assert await worker.wait_until_ended(within_s=15) == 0


async def test_a_loop_that_waits_is_not_called_blocked_though_redis_answers_nothing(
    server: RedisServer, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "arq.worker.jobs")
    await start_worker(redis_url=server.url + "?socket_timeout=4", lease_renewal=0.2)

    server.pause()
    try:
        await wait_until(lambda: "cannot renew leases" in caplog.text, "it to notice", timeout_s=20)
    finally:
        server.resume()
    await wait_until(lambda: "can renew leases again" in caplog.text, "it to go on", timeout_s=20)

    assert "the event loop is blocked" not in caplog.text


async def test_progress_that_cannot_be_stored_fails_no_job_and_no_workflow(
    server: RedisServer, start_worker: StartWorker
) -> None:
    """Out of memory: what has ended is recorded, what is said on the way is not."""
    async with connect(server.url) as connection:
        await start_worker(redis_url=server.url, tasks=[*tasks.ALL, tell_when_full])
        full.clear()
        result = await chain(tell_when_full.s(), tasks.log.s()).delay()
        first, _ = await result.children()
        await wait_until(lambda: _is(first, "STARTED"), "the first step to run")
        await connection.config_set("maxmemory", "1mb")
        full.set()
        await wait_until(lambda: _is(first, "SUCCESS"), "the first step to end", timeout_s=10)
        await asyncio.sleep(3)  # longer than a call is patient
        await connection.config_set("maxmemory", "0")

        assert await result.get(timeout=10) == "told"


async def test_a_result_is_heard_of_though_redis_took_no_question(
    server: RedisServer, start_worker: StartWorker
) -> None:
    """Many others wait on the same connection all the while, so that it is never silent."""
    async with connect(server.url) as caller, connect(server.url) as connection:
        result = await tasks.nap.apply_async((0.1,), countdown=4)
        await caller.config_set("min-replicas-to-write", "1")
        waiting = asyncio.create_task(Result(result.id, caller).get(timeout=20))
        await asyncio.sleep(3)  # longer than a call is patient
        await caller.config_set("min-replicas-to-write", "0")
        chatter = asyncio.create_task(_talk(connection, f"jobs:reply:{caller.notifications.name}"))
        await start_worker(redis_url=server.url)

        try:
            assert await waiting == "rested"
        finally:
            chatter.cancel()


async def test_a_worker_that_starts_waits_for_a_redis_that_takes_nothing(
    server: RedisServer, start_process: StartProcess
) -> None:
    async with connect(server.url) as connection:
        await connection.config_set("min-replicas-to-write", "1")
        worker = await start_process(url=server.url)
        await wait_until(lambda: "will keep trying" in worker.text, "it to say so", timeout_s=10)

        await connection.config_set("min-replicas-to-write", "0")

        assert await (await tasks.multiply.delay(2, 2)).get(timeout=10) == 4


full = asyncio.Event()


@task(name="tests.tell_when_full", bind=True)
async def tell_when_full(self: Any) -> str:
    await full.wait()
    await self.update_state(meta="half")
    return "told"


async def _talk(connection: JobsRedis, channel: str) -> None:
    while True:
        await connection.publish(channel, msgpack.packb(["nobody"]))
        await asyncio.sleep(0.2)


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state
