"""Limits by key, measured at the effect: three worker processes, of which one is killed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs import Result
from jobs.client.connection import JobsRedis
from jobs.store.call import Call
from jobs.store.keys import Keys
from tests.jobs.worker.conftest import StartProcess
from tests.jobs.worker.keyed_tasks import run
from tests.waiting import wait_until

SETTINGS = "tests.jobs.worker.keyed_tasks.WorkerSettings"
LIMITS = {"all": 5, "1": 2, "2": 2, "3": 2}


def most_beside(lines: list[list[str]]) -> Counter[str]:
    """How many ran beside each other at most, of each tenant and of all."""
    running, most = Counter[str](), Counter[str]()
    for _, _, tenant, change in lines:
        for bucket in (tenant, "all"):
            running[bucket] += int(change)
            most[bucket] = max(most[bucket], running[bucket])
    return most


@pytest.mark.timeout(60)
async def test_three_workers_of_which_one_is_killed(
    connection: JobsRedis, redis: Redis, start_process: StartProcess, tmp_path: Path
) -> None:
    path = tmp_path / "runs"
    workers = [await start_process(settings=SETTINGS) for _ in range(3)]
    results: list[Result] = [await run.delay(n % 3 + 1, str(path)) for n in range(90)]
    payload = connection.encode_call("keyed.run", (1, str(path)), {})
    unkeyed = [Call(f"by-name-{n}", "default", payload, "keyed.run") for n in range(10)]
    await connection.enqueue(unkeyed)
    await wait_until(path.exists, "some to run")

    workers[0].process.kill()
    workers[0].process.wait()
    died = time.monotonic()
    waited = [*results, *(Result(call.id, connection) for call in unkeyed)]
    await asyncio.gather(*(result.get(timeout=30) for result in waited))

    lines = [line.split() for line in path.read_text().splitlines()]
    killed = str(workers[0].process.pid)
    for tenant in "123":  # what it had begun ends with it
        left = sum(int(change) for _, pid, of, change in lines if (pid, of) == (killed, tenant))
        lines += [[str(died), killed, tenant, "-1"]] * left
    assert most_beside(sorted(lines, key=lambda line: float(line[0]))) == LIMITS
    for key in (Keys.HOLDERS, Keys.BLOCKED, Keys.WAITING, Keys.PLACES):
        assert [name async for name in redis.scan_iter(f"{key}*")] == []
