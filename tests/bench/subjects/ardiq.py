"""ArdiQ: its worker's loop and its Redis connections are Rust. It prefetches twice as many jobs as it runs at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ardiq import Ardiq

from tests.bench import tally

app = Ardiq(
    redis_url=os.environ["REDIS_URL"],
    concurrency=int(os.environ.get("BENCH_MAX_JOBS", "100")),
    idle_timeout_ms=5_000 if "BENCH_CARE" in os.environ else 60_000,
)


@app.task()
async def noop() -> None:
    tally.count()


@app.task()
async def nap(seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


@app.task()
async def long_nap() -> None:
    tally.count()
    await asyncio.sleep(300)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    yield


async def enqueue() -> None:
    await noop.enqueue()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    for begin in range(0, n, 5_000):
        await app.enqueue_many([called.prepare() for _ in range(begin, min(n, begin + 5_000))])


async def round_trip() -> None:
    await (await noop.enqueue()).result(timeout=10)
