"""Declare tasks, start a worker, send calls, read their results.

arq examples.quickstart.WorkerSettings      # in one terminal
python -m examples.quickstart               # in another
"""

import asyncio
import os

from jobs import connect, crontab, group, task, worker_settings

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


@task(name="quickstart.multiply", max_retries=5)
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="quickstart.log")
async def log(message: object) -> object:
    return message


WorkerSettings = worker_settings(
    redis_url=REDIS_URL, tasks=[multiply, log], cron_jobs=[crontab(log, args=("Good morning",), hour=7, minute=0)]
)


async def main() -> None:
    async with connect(REDIS_URL):
        result = await multiply.delay(4, 4)
        print(await result.get(timeout=10))

        later = await multiply.apply_async((5, 5), countdown=1)
        print(await later.get(timeout=10))

        squares = await (group(multiply.s(n, n) for n in range(2)) | log.s()).delay()
        print(await squares.get(timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
