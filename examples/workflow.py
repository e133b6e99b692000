"""A complete program: a chord (a group and its body), a schedule, and options.

arq examples.workflow.WorkerSettings        # in one terminal
python -m examples.workflow                 # in another
"""

import asyncio
import os
from datetime import timedelta
from typing import Any

from jobs import connect, every, group, task, worker_settings

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


@task(name="workflow.multiply", max_retries=5, default_retry_delay=300, rate_limit="20/s", time_limit=30)
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="workflow.log")
async def log(message: Any) -> Any:
    return message


WorkerSettings = worker_settings(
    redis_url=REDIS_URL, tasks=[multiply, log], cron_jobs=[every(log, timedelta(seconds=30), args=("Message",))]
)


async def main() -> None:
    async with connect(REDIS_URL):
        result = await (group(multiply.s(i, i + 5) for i in range(10)) | log.s()).delay()
        print(await result.get(timeout=10))  # [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


if __name__ == "__main__":
    asyncio.run(main())
