"""taskiq with taskiq-redis: its list broker, the faster one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from tests.bench import tally

URL = os.environ["REDIS_URL"]
broker = ListQueueBroker(URL).with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=3600))


@broker.task
async def noop() -> None:
    tally.count()


@broker.task
async def nap(seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


async def enqueue() -> None:
    await noop.kiq()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap}[task]
    for begin in range(0, n, 50):
        await asyncio.gather(*(called.kiq() for _ in range(begin, min(n, begin + 50))))


async def round_trip() -> None:
    await (await noop.kiq()).wait_result()
