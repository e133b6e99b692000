"""A call is stored once or refused, whatever happens to the connection; whoever waits for a result hears of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis import exceptions
from redis.asyncio import Redis

from jobs import Result, connect
from jobs.client.connection import JobsRedis
from jobs.errors import QueueUnavailable
from jobs.store.keys import Keys
from jobs.store.script_connection import ScriptConnection
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of this test's own, that it may stop."""
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


class CutAfter:
    """Stands between client and server, and cuts once: when the answer to a request with *word* in it has come."""

    def __init__(self, target: Path, path: Path, word: bytes) -> None:
        self.path = path
        self.cuts = 0
        self._target = target
        self._word = word

    async def __aenter__(self) -> CutAfter:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_unix_connection(self._target)
        try:
            while request := await reader.read(65536):
                there.write(request)
                answer = await there_reader.read(65536)
                if self._word in request and answer.startswith(b"*") and not self.cuts:
                    self.cuts += 1
                    return
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()
            there.close()


async def test_a_call_whose_answer_was_lost_is_one_job(redis: Redis, redis_server: RedisServer, tmp_path: Path) -> None:
    proxy = CutAfter(redis_server.socket, tmp_path / "cut.sock", b"tests.multiply")
    async with proxy, connect(f"unix://{proxy.path}"):
        result = await tasks.multiply.delay(2, 2)

    assert proxy.cuts == 1
    assert await redis.zrange("arq:queue", 0, -1) == [result.id.encode()]


async def test_a_redis_that_comes_back_in_time_is_waited_for(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        first = await tasks.multiply.delay(1, 1)
        server.stop()
        second = asyncio.create_task(tasks.multiply.delay(2, 2))
        third = asyncio.create_task(tasks.multiply.delay(3, 3))
        tried: list[int] = []

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tried.append(1)
            writer.close()

        door = await asyncio.start_unix_server(hang_up, server.socket)
        await wait_until(lambda: len(tried) > 1, "the call to be tried again")
        door.close()
        server.start()

        ids = {first.id, (await second).id, (await third).id}
        assert {raw.decode() for raw in await connection.zrange("arq:queue", 0, -1)} == ids


async def test_a_redis_that_stays_away_is_said_so_in_time(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        connection.patience_s = 0.3
        server.stop()
        began = time.monotonic()

        with pytest.raises(QueueUnavailable, match="did not take the call, nothing is stored: "):
            await tasks.multiply.delay(2, 2)

        assert time.monotonic() - began < 2
        server.start()
        await tasks.multiply.delay(2, 2)


async def test_a_call_that_may_have_arrived_is_said_so(server: RedisServer) -> None:
    async with connect(server.url) as connection:
        connection.patience_s = 0.3
        server.stop()

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while b"EVALSHA" not in (asked := await reader.read(65536)) and asked:
                writer.write(b"+OK\r\n" * asked.count(b"*"))
            writer.close()

        async with await asyncio.start_unix_server(hang_up, server.socket):
            with pytest.raises(QueueUnavailable, match="it may or may not be stored"):
                await tasks.multiply.delay(2, 2)


async def test_a_redis_that_has_forgotten_the_scripts_is_given_them_again(connection: JobsRedis, redis: Redis) -> None:
    await tasks.multiply.delay(1, 1)
    await redis.script_flush()
    await tasks.multiply.delay(2, 2)

    assert await redis.zcard("arq:queue") == 2


async def test_a_waiter_whose_subscription_was_cut_still_hears_of_the_end(
    connection: JobsRedis, redis: Redis, start_worker: StartWorker
) -> None:
    result = await tasks.multiply.apply_async((2, 2), countdown=0.4)
    waiting = asyncio.create_task(result.get(timeout=10))
    await wait_until(lambda: redis.pubsub_channels(f"{Keys.REPLY}*"), "the subscription")

    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    began = time.monotonic()
    await start_worker()

    assert await waiting == 4
    assert time.monotonic() - began < 2


async def test_a_notice_that_was_lost_costs_a_few_seconds(
    connection: JobsRedis, redis: Redis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The net: nothing is heard, the connection stands, and the end is found all the same."""
    monkeypatch.setattr("jobs.store.subscription.LOOK_WHEN_SILENT_S", 0.3)
    result = await tasks.multiply.apply_async((2, 2), countdown=0.2)
    waiting = asyncio.create_task(result.get(timeout=10))
    await wait_until(lambda: redis.hexists(f"jobs:job:{result.id}", "reply"), "the call")
    await redis.hdel(f"jobs:job:{result.id}", "reply", "waited")
    await redis.delete(f"jobs:waiters:{result.id}")

    await start_worker()

    assert await waiting == 4


async def test_many_who_wait_for_one_job_all_hear(
    connection: JobsRedis, redis_url: str, start_worker: StartWorker
) -> None:
    result = await tasks.multiply.apply_async((2, 2), countdown=0.2)
    async with connect(redis_url) as other:
        waiting = [Result(result.id, c).get(timeout=5) for c in (connection, other) for _ in range(20)]
        asked = asyncio.gather(*waiting)
        await start_worker()

        assert await asked == [4] * 40
        assert other.notifications._waiting == {}


async def test_who_gives_up_waiting_leaves_nothing_behind(connection: JobsRedis) -> None:
    result = await tasks.multiply.apply_async((2, 2), countdown=60)

    with pytest.raises(TimeoutError):
        await result.get(timeout=0.1)

    assert connection.notifications._waiting == {}


async def test_a_connection_that_the_server_closed_is_opened_again_before_anything_is_sent(
    connection: JobsRedis, redis: Redis
) -> None:
    script_connection = ScriptConnection(connection.connection_pool, connection.key)
    own_id = await script_connection.command("CLIENT", "ID")

    await redis.client_kill_filter(_id=own_id)

    assert await script_connection.command("PING") == b"PONG"
    await script_connection.close()


async def test_an_answer_that_is_too_late_is_no_answer_to_the_next_command(redis: Redis, redis_url: str) -> None:
    async with connect(redis_url, answer_s=0.2) as connection:
        script_connection = ScriptConnection(connection.connection_pool, connection.key)
        assert await script_connection.command("PING") == b"PONG"

        with pytest.raises(exceptions.TimeoutError, match=r"no answer within 0\.3 s"):
            await script_connection.command("BLPOP", "nothing", 1, patience_s=0.1)

        assert await script_connection.command("PING") == b"PONG"
        await script_connection.close()
