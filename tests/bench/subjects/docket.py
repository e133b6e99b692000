"""docket. Its command takes no check interval below a second, so this module is its worker, with its command's logging.

A full worker sleeps for minimum_check_interval, 0.1 s in its command: with 10 jobs at once that is 100 jobs/s.
redis-py 8 allows a pool 100 connections, and with 100 jobs at once docket wants more: it then stops for 5 s.
It gives a job to another worker when nobody has renewed it for 5 minutes, unless redelivery_timeout is shorter.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from docket import Docket, Worker

from tests.bench import tally

URL = os.environ["REDIS_URL"] + "?max_connections=1000"
docket: Docket


async def noop() -> None:
    tally.count()


async def nap(seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


async def long_nap() -> None:
    tally.count()
    await asyncio.sleep(300)


tasks = [noop, nap, long_nap]


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    global docket
    async with Docket(url=URL) as docket:
        for task in tasks:
            docket.register(task)
        yield


async def enqueue() -> None:
    await docket.add(noop)()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    await docket.add_many(docket.call(called)() for _ in range(n))


async def round_trip() -> None:
    await (await docket.add(noop)()).get_result(timeout=timedelta(seconds=10))


async def main() -> None:
    settings = {
        "concurrency": int(os.environ.get("BENCH_MAX_JOBS", "100")),
        "minimum_check_interval": timedelta(milliseconds=5),
        "redelivery_timeout": timedelta(seconds=5) if "BENCH_CARE" in os.environ else timedelta(minutes=5),
    }
    async with opened(), Worker(docket, **settings) as worker:
        await worker.run_forever()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
