"""Dramatiq with Redis as broker and result backend: one process, whose threads run the jobs. Its calls block.

An idle worker looks for jobs each second; the environment variable `dramatiq_worker_timeout` says 10 ms (../peers.py).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from tests.bench import tally

URL = os.environ["REDIS_URL"]
CARE = {"heartbeat_timeout": 5_000, "maintenance_chance": 100_000} if "BENCH_CARE" in os.environ else {}
broker = RedisBroker(url=URL, **CARE)
broker.add_middleware(Results(backend=RedisBackend(url=URL), store_results=True))
dramatiq.set_broker(broker)
counting = threading.Lock()


def count() -> None:
    with counting:
        tally.count()


@dramatiq.actor
def noop() -> None:
    count()


@dramatiq.actor
def nap(seconds: float = 0.02) -> None:
    time.sleep(seconds)
    count()


@dramatiq.actor
def long_nap() -> None:
    count()
    time.sleep(300)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    yield


def call() -> None:
    noop.send()


async def enqueue() -> None:
    call()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    for _ in range(n):
        called.send()


async def round_trip() -> None:
    noop.send().get_result(block=True, timeout=10_000)
