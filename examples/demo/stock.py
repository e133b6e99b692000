"""The worker of unchanged arq, with the same jobs."""

import asyncio
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings

from examples.demo.work import MAX_JOBS, REDIS_URL, work


async def job(ctx: dict[Any, Any], number: int) -> None:
    await work(str(number))


class WorkerSettings:
    functions = (job,)
    redis_settings = RedisSettings.from_dsn(REDIS_URL)
    max_jobs = MAX_JOBS
    poll_delay = 0.05  # with the default of 0.5 s these short jobs would take a minute


async def send(redis_url: str, jobs: int) -> None:
    pool = await create_pool(RedisSettings.from_dsn(redis_url))
    for first in range(0, jobs, 50):
        await asyncio.gather(*(pool.enqueue_job("job", n) for n in range(first, min(first + 50, jobs))))
    await pool.aclose()
