"""The work of each job, for both libraries: count its start, work for a while, count its end."""

import asyncio
import os

from redis.asyncio import Redis

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
STARTED, DONE = "demo:started", "demo:done"
WORK_S = 0.05
MAX_JOBS = 5
"""Jobs that one worker runs at once."""

counts = Redis.from_url(REDIS_URL)


async def work(job: str) -> None:
    """A start without an end means that a kill cut the job off. Two ends mean that the job was done twice."""
    await counts.hincrby(STARTED, job, 1)
    await asyncio.sleep(WORK_S)
    await counts.hincrby(DONE, job, 1)
