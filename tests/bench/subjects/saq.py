"""SAQ. Its documentation names concurrency and hiredis; a client may have more operations under way than 20.

Its jobs run once (retries=1), so one whose worker was killed ends as aborted: with more, the sweep runs it again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue

from tests.bench import tally

CAREFUL = "BENCH_CARE" in os.environ
queue = Queue.from_url(os.environ["REDIS_URL"], max_concurrent_ops=100)


async def noop(ctx: dict[str, Any]) -> None:
    tally.count()


async def nap(ctx: dict[str, Any], seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


async def long_nap(ctx: dict[str, Any]) -> None:
    tally.count()
    await asyncio.sleep(300)


settings = {
    "queue": queue,
    "functions": [noop, nap, long_nap],
    "concurrency": int(os.environ.get("BENCH_MAX_JOBS", "100")),
    "timers": {"sweep": 5} if CAREFUL else {},
}


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    await queue.connect()
    yield
    await queue.disconnect()


async def enqueue() -> None:
    await queue.enqueue("noop")


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    options = {"retries": 2} if CAREFUL else {}
    for begin in range(0, n, 50):
        await asyncio.gather(*(queue.enqueue(task, **options) for _ in range(begin, min(n, begin + 50))))


async def round_trip() -> None:
    await queue.apply("noop", poll_interval=0.002)  # its notices can be missed: a wait for them then lasts for ever
