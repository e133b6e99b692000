"""`expires` counts until the first start. Until then a job that is too late never runs; from then on it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import task
from jobs.client.connection import JobsRedis
from jobs.errors import TaskRevoked
from jobs.monitor import why
from jobs.store.keys import Keys
from jobs.store.store import now_ms
from jobs.worker.execution.outcome_encoding import pack_row
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker, stop_at_once
from tests.waiting import wait_until


@task(name="tests.late_retry", bind=True, default_retry_delay=0.3)
async def late_retry(self: Any) -> int:
    if not self.request.retries:
        self.retry()
    return self.request.retries


async def test_a_retry_runs_after_the_job_would_have_expired(start_worker: StartWorker) -> None:
    await start_worker(tasks=[late_retry])

    result = await late_retry.apply_async(expires=0.2)

    assert await result.get(timeout=5) == 1


async def test_a_job_that_a_deploy_stopped_runs_after_it_would_have_expired(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    worker = await start_worker()
    result = await tasks.nap.apply_async((60,), expires=1)
    await wait_until(lambda: worker.statistics().busy, "its code to run")
    await stop_at_once(worker)

    assert await result.state() == "PENDING"
    assert "expires" not in {reason.code for reason in await why(connection, result.id)}


class Clock:
    """Moves Redis' time for every script."""

    def __init__(self, redis: Redis) -> None:
        self.redis, self.moved = redis, 0

    async def forward(self, seconds: float) -> None:
        self.moved += int(seconds * 1000)
        await self.redis.set(Keys.CLOCK, self.moved)


Begin = Callable[[JobsRedis, Clock, str], Awaitable[None]]


async def claim(connection: JobsRedis, worker: str = "w", lease_ms: int = 60_000) -> dict[str, str]:
    """The verdict of each job that a claim gives."""
    rows = (await connection.run_script("claim", worker, "token", lease_ms, 9, 1, "default"))[0]
    return {row[0].decode(): row[6].decode() if len(row) > 6 else "" for row in rows}


async def finish(connection: JobsRedis, job_id: str, state: str, extra: str = "") -> None:
    row = pack_row((job_id, "token", state, 0, 0, "0", b"", extra, 0, 0)), b""
    assert await connection.run_script("finish", "w", 10, "", *row) == [1]


async def retried(connection: JobsRedis, clock: Clock, job_id: str) -> None:
    await finish(connection, job_id, "RETRY")


async def stopped(connection: JobsRedis, clock: Clock, job_id: str) -> None:
    await finish(connection, job_id, "PENDING")


async def died(connection: JobsRedis, clock: Clock, job_id: str) -> None:
    await wait_until(lambda: gone(connection, job_id), "the lease to end")
    for _ in range(3):  # other workers have reached Redis all the time
        await clock.forward(4)
        await connection.run_script("renew", "other", 1000, "default", 0, 0)


async def gone(connection: JobsRedis, job_id: str) -> bool:
    return not await connection.exists(Keys.IN_PROGRESS + job_id)


async def unknown(connection: JobsRedis, clock: Clock, job_id: str) -> None:
    await finish(connection, job_id, "PENDING", extra="1")


async def unheard(connection: JobsRedis, clock: Clock, job_id: str) -> None:
    assert await connection.run_script("release", "w", "default") == [job_id.encode()]


@pytest.mark.parametrize(
    ("between", "verdict"), [(retried, ""), (stopped, ""), (died, ""), (unknown, "expired"), (unheard, "expired")]
)
async def test_expires_counts_until_the_first_start(
    redis: Redis, connection: JobsRedis, between: Begin, verdict: str
) -> None:
    """A worker that does not know the task has not started it; nor has one that never heard of its claim."""
    clock = Clock(redis)
    result = await tasks.multiply.apply_async((2, 2), expires=5)
    assert await claim(connection, lease_ms=50 if between is died else 60_000) == {result.id: ""}
    await between(connection, clock, result.id)

    said = {reason.code for reason in await why(connection, result.id)} if between is not died else None
    assert said is None or ("expires" in said) == (verdict == "expired")
    await clock.forward(30)
    for _ in range(3):
        await clock.forward(4)
        await connection.run_script("renew", "other", 1000, "default", 0, 0)

    assert await claim(connection) == {result.id: verdict}


async def test_one_that_has_not_started_is_revoked_and_says_so(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    result = await tasks.multiply.apply_async((2, 2), expires=0.01)
    called = await now_ms(connection)

    async def expired() -> bool:
        return await now_ms(connection) > called + 10

    await wait_until(expired, "the call to expire")
    await start_worker()

    with pytest.raises(TaskRevoked, match="had expired"):
        await result.get(timeout=5)
    [attempt] = (await result.info()).history
    assert attempt.outcome == "REVOKED"
