"""A prefix is before every key and channel of an application; without one, they are what they always were."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from arq.worker import create_worker
from redis.asyncio import Redis

from jobs import every, group, monitor, task, worker_settings
from jobs.client.connection import JobsRedis
from jobs.contrib import wrong_types
from jobs.errors import QuarqError
from jobs.monitor_site.model.worker_list import online
from jobs.store import default
from jobs.store.redis_url import POOL_OPTIONS, RedisURL
from jobs.testing import enqueued
from tests.jobs.key_table import CHANNELS, table
from tests.jobs.worker import tasks
from tests.jobs.worker.questions import questions
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@task(name="prefix.total")
async def total(numbers: list[int]) -> int:
    return sum(numbers)


@task(name="prefix.single", max_concurrency=1, rate_limit="50/s")
async def single() -> str:
    await asyncio.sleep(0.02)
    return "alone"


class Names:
    """The keys that were ever written in a Redis, and the channels that were spoken on, from now on."""

    def __init__(self, redis: Redis) -> None:
        self.keys: set[str] = set()
        self.channels: set[str] = set()
        self._pubsub = redis.pubsub()

    async def listen(self) -> None:
        await self._pubsub.psubscribe("*")
        async for message in self._pubsub.listen():
            if message["type"] == "pmessage":
                channel, _, key = message["channel"].decode().partition("@0__:")
                if not channel.startswith("__"):
                    self.channels.add(channel)
                elif channel == "__keyspace":
                    self.keys.add(key)

    def close(self) -> None:
        self._pubsub.close()


def opened(url: str, prefix: str) -> JobsRedis:
    client = JobsRedis(RedisURL.read(url).pool(**POOL_OPTIONS), prefix=prefix)
    client.auto_close_connection_pool = True
    return client


@contextlib.asynccontextmanager
async def working(url: str, prefix: str) -> AsyncIterator[JobsRedis]:
    """A connection with this prefix as the default one, and a worker that has it too."""
    settings = worker_settings(
        redis_url=url, tasks=[*tasks.ALL, total, single], handle_signals=False, poll_delay=0.1, lease=2,
        lease_renewal=0.2, job_completion_wait=0.2,
        cron_jobs=[every(total, timedelta(seconds=0.3), name="tick", args=([1],))],
    )  # fmt: skip
    settings.redis_pool = opened(url, prefix)  # type: ignore[attr-defined]
    worker, client = create_worker(settings), opened(url, prefix)
    worker.main_task = running = asyncio.create_task(worker.main())
    try:
        with default.connected(client):
            yield client
    finally:
        await worker.close()
        await asyncio.gather(running, return_exceptions=True)
        await client.aclose()


async def everything(client: JobsRedis) -> None:
    """What an application, its workers and its operators do."""
    await client.set(client.key.CLOCK, 0)
    async with contextlib.aclosing(monitor.events(client)) as events:
        await anext(events)  # the schedule's
    assert await (await tasks.flaky.delay(1)).get(timeout=10) == 1
    assert [await one.get(timeout=10) for one in await single.apply_many([()] * 5)] == ["alone"] * 5
    flow = await (group(tasks.multiply.s(n, n) for n in range(4)) | total.s()).delay()
    assert await flow.get(timeout=10) == 14
    assert [meta async for meta in (await tasks.progress.delay(3)).progress()]
    running, waiting = await tasks.nap.delay(60), await tasks.nap.apply_async((1,), countdown=3600)
    await wait_until(lambda: _state_is(running, "STARTED"), "it to run")
    await running.revoke(terminate=True)
    await wait_until(lambda: _state_is(running, "REVOKED"), "it to be stopped")
    failed = await group(tasks.multiply.s(1, 1), tasks.fail.s()).delay()
    await failed.get(timeout=10, propagate=False)
    halted = await group(tasks.multiply.s(1, 1), tasks.nap.signature((1,), countdown=3600)).delay()
    first, delayed = await halted.children()
    await wait_until(first.ready, "the member that has no delay to end")
    await delayed.revoke()
    await halted.get(timeout=10, propagate=False)
    await client.enqueue_job("f", _queue_name="odd")
    await client.enqueue_job("f", _queue_name="arq:queue:mail")
    assert {job.id for job in await enqueued(client)} >= {waiting.id}
    ended = await tasks.multiply.delay(1, 2)
    assert await ended.get(timeout=10) == 2
    for name, asked in questions(client, ended, waiting, failed):
        if name.startswith("arq's"):  # it knows no prefix
            asked.close()  # type: ignore[attr-defined]
        else:
            # one of them forgets the job that the next asks for; the listener to all channels is taken for a worker
            with contextlib.suppress(QuarqError, TimeoutError):
                await asked
    await wait_until(lambda: _has_fired(client), "the schedule to fire")


async def _state_is(result: object, state: str) -> bool:
    return bool(await result.state() == state)  # type: ignore[attr-defined]


async def _has_fired(client: JobsRedis) -> bool:
    return any(schedule.last_run for schedule in await monitor.schedules(client))


async def _is_quiet(client: JobsRedis) -> bool:
    return [worker.quiet for worker in await online(client)] == [True]


async def _kept_aside(client: JobsRedis) -> bool:
    return bool(await client.exists(f"{client.key.ASIDE}jobs:paused"))


@pytest.mark.parametrize("prefix", ["{shop}:", "a*[b]?:", ""])
async def test_every_key_and_channel_begins_with_the_prefix(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_types, "SCAN_AGAIN_S", 0)
    server = RedisServer(tmp_path, config={"notify-keyspace-events": "KA"}).start()
    try:
        async with Redis.from_url(server.url) as redis:
            names = Names(redis)
            listening = asyncio.create_task(names.listen())
            await wait_until(lambda: redis.pubsub_numpat(), "somebody to listen")
            async with working(server.url, prefix) as client:
                await everything(client)
                await redis.set(f"{prefix}jobs:paused", "somebody else's")
                await wait_until(lambda: _kept_aside(client), "it to be put aside")
                [worker] = await online(client)
                assert await monitor.quiet(client, worker.name)
                await wait_until(lambda: _is_quiet(client), "the worker to hear it")
            left = {key.decode() for key in await redis.keys()}
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            assert left <= names.keys
    finally:
        server.stop()

    assert {name for name in names.keys | names.channels if not name.startswith(prefix)} == set()
    keys = {key.removeprefix(prefix) for key in names.keys}
    unknown = {key for key in keys if not any(pattern.fullmatch(key) for pattern in table())}
    assert unknown == {"odd"}, "the key that arq was given as a queue"
    seen = [family for family in CHANNELS if any(name.startswith(prefix + family) for name in names.channels)]
    assert seen == [*CHANNELS]
    assert {name for name in names.channels if not name.startswith(tuple(prefix + one for one in CHANNELS))} == set()
