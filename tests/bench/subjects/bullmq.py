"""BullMQ for Python. It has no command for a worker: this module is one. Ended jobs stay, as they do by default.

It takes a URL or a ready client. With a URL a process has one connection for all: a third of the jobs a second, and 32
callers hang; and its event stream waits for 10 s, where redis-py 8 by default gives up after 5.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bullmq import Job, Queue, QueueEvents, Worker
from redis.asyncio import Redis

from tests.bench import tally

URL = os.environ["REDIS_URL"]
CARE = {"lockDuration": 5_000, "stalledInterval": 5_000} if "BENCH_CARE" in os.environ else {}
queue: Queue
events: QueueEvents


async def process(job: Job, token: str) -> None:
    if job.name == "nap":
        await asyncio.sleep(0.02)
    tally.count()
    if job.name == "long_nap":
        await asyncio.sleep(300)


async def main() -> None:
    concurrency = int(os.environ.get("BENCH_MAX_JOBS", "100"))
    Worker("bench", process, {"connection": client(), "concurrency": concurrency} | CARE)
    await asyncio.Event().wait()


def client() -> Redis:
    return Redis.from_url(URL, decode_responses=True, socket_timeout=None)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    global queue, events
    queue = Queue("bench", {"connection": client()})
    events = QueueEvents("bench", {"connection": client(), "lastEventId": "0-0"})
    yield
    await events.close()
    await queue.close()


async def enqueue() -> None:
    await queue.add("noop", {})


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    for begin in range(0, n, 1000):
        await queue.addBulk([{"name": task, "data": {}} for _ in range(begin, min(n, begin + 1000))])


async def round_trip() -> None:
    """The Python port has no call that waits for a job: the event that it ended carries the result."""
    job_id, ended = os.urandom(8).hex(), asyncio.Event()
    heard = events.on(f"completed:{job_id}", lambda *event: ended.set())
    await queue.add("noop", {}, {"jobId": job_id})
    await asyncio.wait_for(ended.wait(), 10)
    events.off(f"completed:{job_id}", heard)


if __name__ == "__main__":
    asyncio.run(main())
