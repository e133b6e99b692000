"""Celery with Redis as broker and result backend, prefork with a process for each core. Its calls block.

It acknowledges a job before it runs, unless task_acks_late is set, and gives one that nobody acknowledged to another
worker after an hour, unless visibility_timeout is shorter.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import Celery

from tests.bench import tally

app = Celery("bench", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
if "BENCH_CARE" in os.environ:
    app.conf.update(task_acks_late=True, broker_transport_options={"visibility_timeout": 5})


@app.task
def noop() -> None:
    tally.count()


@app.task
def nap(seconds: float = 0.02) -> None:
    time.sleep(seconds)
    tally.count()


@app.task
def long_nap() -> None:
    tally.count()
    time.sleep(300)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    yield


def call() -> None:
    noop.delay()


async def enqueue() -> None:
    call()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    for _ in range(n):
        called.delay()


async def round_trip() -> None:
    noop.delay().get(timeout=10)
