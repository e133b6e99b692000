"""Every public question while Redis is in every state that people meet: it has an answer, or an error that says why, in
its time. What waits for a job goes on waiting, and gets its answer once Redis is well again."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import QueueUnavailable, Result, connect, first, group, monitor
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import WorkerProcess
from tests.jobs.worker.questions import questions
from tests.redis_server import RedisServer
from tests.waiting import wait_until

PATIENCE_S, ANSWER_S = 0.4, 0.5
LIMIT_S = 2.5
"""Patience, one answer, and what a busy machine needs."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with a worker: both go through all of it."""
    folder = tmp_path_factory.mktemp("redis")
    server = RedisServer(folder, config={"enable-protected-configs": "yes"}).start()
    worker = WorkerProcess(server.url, folder / "worker.log")
    yield server
    worker.process.kill()
    worker.process.wait()
    server.stop()


@asynccontextmanager
async def config(server: RedisServer, name: str, bad: str, good: str) -> AsyncIterator[None]:
    async with Redis.from_url(server.url) as redis:
        await redis.config_set(name, bad)
        try:
            yield
        finally:
            await redis.config_set(name, good)


@asynccontextmanager
async def frozen(server: RedisServer) -> AsyncIterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


@asynccontextmanager
async def killed(server: RedisServer) -> AsyncIterator[None]:
    server.kill9()
    try:
        yield
    finally:
        server.start()


@asynccontextmanager
async def loading(server: RedisServer) -> AsyncIterator[None]:
    """Killed, and back with a file that takes its time; each key costs 50 ms, and between two it answers."""
    async with Redis.from_url(server.url) as redis:
        await redis.mset({f"filler:{n}": os.urandom(2000) for n in range(300)})
        await redis.bgrewriteaof()
        await wait_until(lambda: _rewritten(redis), "the file to be written anew")
    server.kill9()
    slow = {"key_load_delay": "50000", "loading_process_events_interval_bytes": "1024"}
    server.start(until=b"-LOADING", **slow)
    try:
        yield
    finally:
        server.kill9()
        server.start()


async def _rewritten(redis: Redis) -> bool:
    of = await redis.info("persistence")
    return not (of["aof_rewrite_in_progress"] or of["aof_rewrite_scheduled"])


@asynccontextmanager
async def replica(server: RedisServer, stale: str) -> AsyncIterator[None]:
    async with Redis.from_url(server.url) as redis:
        await redis.config_set("replica-serve-stale-data", stale)
        await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            yield
        finally:
            await redis.execute_command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def disk_failing(server: RedisServer) -> AsyncIterator[None]:
    async with Redis.from_url(server.url) as redis:
        (server.folder / "taken").mkdir(exist_ok=True)
        await redis.config_set("dbfilename", "taken")
        await redis.config_set("save", "1 1")
        await redis.bgsave()
        await wait_until(lambda: _failed(redis), "the snapshot to fail")
        try:
            yield
        finally:
            await redis.config_set("save", "")


async def _failed(redis: Redis) -> bool:
    return (await redis.info("persistence"))["rdb_last_bgsave_status"] == "err"


STATES: dict[str, tuple[Callable[[RedisServer], Any], str]] = {
    "frozen": (frozen, "no answer|Timeout"),
    "killed": (killed, "ConnectionError|OSError|Connect"),
    "loading": (loading, "loading its data"),
    "full": (lambda server: config(server, "maxmemory", "1", "0"), "memory is full"),
    "no replicas": (lambda server: config(server, "min-replicas-to-write", "1", "0"), "too few replicas"),
    "read-only": (lambda server: replica(server, "yes"), "is a replica"),
    "master down": (lambda server: replica(server, "no"), "lost its primary|is a replica"),
    "disk failing": (disk_failing, "cannot write to its disk"),
}


@pytest.mark.parametrize("state", STATES)
async def test_every_question_is_answered_or_refused_in_time_and_what_waits_goes_on(
    server: RedisServer, state: str
) -> None:
    begin, words = STATES[state]
    async with connect(server.url, answer_s=ANSWER_S) as redis:
        redis.patience_s = PATIENCE_S
        flow = await group(tasks.multiply.s(1, 1), tasks.multiply.s(2, 2)).delay()
        ended, waiting = (await tasks.multiply.delay(2, 2), await tasks.multiply.apply_async((1, 1), countdown=3600))
        await asyncio.gather(flow.get(timeout=10), ended.get(timeout=10))
        soon = await tasks.multiply.apply_async((3, 3), countdown=0.8)
        async with begin(server):
            waits = {
                "get": asyncio.ensure_future(Result(soon.id).get()),
                "first": asyncio.ensure_future(first([Result(soon.id)])),
                "as_completed": asyncio.ensure_future(_all(flow.as_completed())),
                "progress": asyncio.ensure_future(_all(soon.progress())),
            }
            names, asked = zip(*questions(redis, ended, waiting, flow), strict=True)
            answers = dict(zip(names, await asyncio.gather(*map(_timed, asked)), strict=True))
            stopped = {name for name, wait in waits.items() if wait.done() and wait.exception() is not None}

        late = {name: took for name, (took, _) in answers.items() if took > LIMIT_S}
        assert not late
        odd = {name: answer for name, (_, answer) in answers.items() if _is_odd(answer, words)}
        assert not odd
        refused = [name for name, (_, answer) in answers.items() if isinstance(answer, QueueUnavailable)]
        assert "delay" in refused
        assert not stopped
        got = dict(zip(waits, await asyncio.wait_for(asyncio.gather(*waits.values()), 30), strict=True))
        assert got["get"] == got["first"] == 9
        assert {result.id for result in got["as_completed"]} == {f"{flow.id}:0", f"{flow.id}:1"}


async def _all(results: AsyncIterator[Any]) -> list[Any]:
    return [result async for result in results]


async def _timed(asked: Awaitable[Any]) -> tuple[float, Any]:
    began = time.monotonic()
    try:
        answer = await asked
    except Exception as error:
        answer = error
    return time.monotonic() - began, answer


def _is_odd(answer: Any, words: str) -> bool:
    """An exception that a person who calls this could not have expected, or that does not say why."""
    if isinstance(answer, QueueUnavailable):
        return not re.search(words, str(answer))
    expected = (monitor.QuarqError, TimeoutError, KeyError)
    return isinstance(answer, Exception) and not isinstance(answer, expected)
