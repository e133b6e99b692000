"""streaQ. It prefetches as many jobs as it runs at once; anyio's own option gives it uvloop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streaq import Worker

from tests.bench import tally

worker = Worker(
    redis_url=os.environ["REDIS_URL"],
    concurrency=int(os.environ.get("BENCH_MAX_JOBS", "100")),
    anyio_kwargs={"use_uvloop": True},
    idle_timeout=5 if "BENCH_CARE" in os.environ else 60,
)


@worker.task
async def noop() -> None:
    tally.count()


@worker.task
async def nap(seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


@worker.task
async def long_nap() -> None:
    tally.count()
    await asyncio.sleep(300)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    async with worker:
        yield


async def enqueue() -> None:
    await noop.enqueue()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    for begin in range(0, n, 1000):
        await worker.enqueue_many([called.enqueue() for _ in range(begin, min(n, begin + 1000))])


async def round_trip() -> None:
    await (await noop.enqueue()).result(timeout=10)
