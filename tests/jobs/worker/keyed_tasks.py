"""A task with limits by key, and a worker of it, for processes of their own: each run writes its begin and its end."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from jobs import Limit, task, worker_settings


@task(name="keyed.run", max_concurrency=[5, Limit(2, per="tenant")])
async def run(tenant: int, path: str, seconds: float = 0.03) -> None:
    write(path, tenant, 1)
    await asyncio.sleep(seconds)
    write(path, tenant, -1)


def write(path: str, tenant: int, change: int) -> None:
    with Path(path).open("a") as file:
        file.write(f"{time.monotonic()} {os.getpid()} {tenant} {change}\n")


if "REDIS_URL" in os.environ:
    WorkerSettings = worker_settings(
        redis_url=os.environ["REDIS_URL"], tasks=[run], lease=1.5, lease_renewal=0.3, max_jobs=10
    )
