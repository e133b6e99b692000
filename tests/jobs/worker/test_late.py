"""A cluster that was down for a month forgets nothing."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

DAY_MS = 86_400_000


async def test_a_job_runs_once_though_its_time_was_a_month_ago(
    connection: JobsRedis, redis: Redis, start_worker: StartWorker, tmp_path: Path
) -> None:
    path = f"{tmp_path}/record"
    result = await tasks.append.apply_async((path, "late"), countdown=3600)
    await redis.set(Keys.CLOCK, 30 * DAY_MS)
    assert await result.state() == "PENDING"

    await start_worker()
    await start_worker()

    assert await result.get(timeout=10) == 1
    await wait_until(lambda: _lines(path) == ["start late", "end late"], "one run")
    info = await result.info()
    assert info.due is not None
    assert info.started is not None
    assert (info.started - info.due).days == 29


def _lines(path: str) -> list[str]:
    with open(path) as file:
        return file.read().splitlines()
