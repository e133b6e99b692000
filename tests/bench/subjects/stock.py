"""arq as it comes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq.connections import ArqRedis, RedisSettings, create_pool

from tests.bench import tally

SETTINGS = RedisSettings.from_dsn(os.environ["REDIS_URL"])
pool: ArqRedis


async def noop(ctx: dict[str, Any]) -> None:
    tally.count()


async def nap(ctx: dict[str, Any], seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


async def long_nap(ctx: dict[str, Any]) -> None:
    tally.count()
    await asyncio.sleep(300)


class WorkerSettings:
    functions = (noop, nap, long_nap)
    on_startup = tally.gate
    redis_settings = SETTINGS
    max_jobs = int(os.environ.get("BENCH_MAX_JOBS", "10"))
    poll_delay = float(os.environ.get("BENCH_POLL_DELAY", "0.5"))


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    global pool
    pool = await create_pool(SETTINGS)
    yield
    await pool.aclose()


async def enqueue() -> None:
    await pool.enqueue_job("noop")


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    for begin in range(0, n, 50):
        calls = (pool.enqueue_job(task, _defer_by=delay_s or None) for _ in range(begin, min(n, begin + 50)))
        await asyncio.gather(*calls)


async def round_trip() -> None:
    job = await pool.enqueue_job("noop")
    assert job is not None
    await job.result()
