"""Declare a task, start a worker, send a call, read its result.

arq examples.quickstart.WorkerSettings      # in one terminal
python -m examples.quickstart               # in another
"""

import asyncio
import os

from jobs import connect, task, worker_settings

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


@task(name="quickstart.multiply", max_retries=5)
async def multiply(x: int, y: int) -> int:
    return x * y


WorkerSettings = worker_settings(redis_url=REDIS_URL, tasks=[multiply])


async def main() -> None:
    async with connect(REDIS_URL):
        print(await multiply(2, 3))  # runs here

        result = await multiply.delay(4, 4)  # runs on a worker
        print(await result.get(timeout=10))

        later = await multiply.apply_async((5, 5), countdown=1)
        print(await later.get(timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
