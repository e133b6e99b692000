"""SAQ, with its worker's concurrency at 100."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue

from tests.bench import tally

queue = Queue.from_url(os.environ["REDIS_URL"])


async def noop(ctx: dict[str, Any]) -> None:
    tally.count()


async def nap(ctx: dict[str, Any], seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


settings = {"queue": queue, "functions": [noop, nap], "concurrency": 100}


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    await queue.connect()
    yield
    await queue.disconnect()


async def enqueue() -> None:
    await queue.enqueue("noop")


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    for begin in range(0, n, 50):
        await asyncio.gather(*(queue.enqueue(task) for _ in range(begin, min(n, begin + 50))))


async def round_trip() -> None:
    await queue.apply("noop", poll_interval=0.002)  # its notices can be missed: a wait for them then lasts for ever
