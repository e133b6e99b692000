"""Celery with Redis as broker and result backend. Its calls block, so callers at once are threads."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import Celery

from tests.bench import tally

app = Celery("bench", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@app.task
def noop() -> None:
    tally.count()


@app.task
def nap(seconds: float = 0.02) -> None:
    time.sleep(seconds)
    tally.count()


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    yield


async def enqueue() -> None:
    await asyncio.to_thread(noop.delay)


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap}[task]
    for _ in range(n):
        called.delay()


async def round_trip() -> None:
    noop.delay().get(timeout=10)
