"""taskiq with taskiq-redis: its list broker, or with BENCH_BROKER=streams the one that acknowledges.

Its worker takes uvloop if it is installed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from tests.bench import tally

URL = os.environ["REDIS_URL"]
results = RedisAsyncResultBackend(URL, result_ex_time=3600)
if os.environ.get("BENCH_BROKER") == "streams":
    care = {"idle_timeout": 5_000, "unacknowledged_lock_timeout": 5} if "BENCH_CARE" in os.environ else {}
    broker = RedisStreamBroker(URL, **care).with_result_backend(results)
else:
    broker = ListQueueBroker(URL).with_result_backend(results)


@broker.task
async def noop() -> None:
    tally.count()


@broker.task
async def nap(seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


@broker.task
async def long_nap() -> None:
    tally.count()
    await asyncio.sleep(300)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


async def enqueue() -> None:
    await noop.kiq()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    for begin in range(0, n, 50):
        await asyncio.gather(*(called.kiq() for _ in range(begin, min(n, begin + 50))))


async def round_trip() -> None:
    await (await noop.kiq()).wait_result(check_interval=0.002)  # 0.2 s by default
