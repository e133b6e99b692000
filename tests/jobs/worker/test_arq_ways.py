"""arq's own ways on our connection: enqueue_job, Job, cron jobs, queues of any name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.cron import cron
from arq.jobs import Job
from arq.worker import func

from jobs.client.connection import JobsRedis
from jobs.worker import Worker
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


async def count(ctx: dict[Any, Any]) -> str:
    return str(ctx["job_id"])


async def sleep(ctx: dict[Any, Any]) -> None:
    await asyncio.sleep(60)


async def run_burst(redis_url: str, **options: Any) -> Worker:
    """A worker that runs what there is, built as arq's users build one."""
    redis = JobsRedis.at(redis_url, **options.pop("connection", {}))
    known = {"functions": [func(count, name="count")], "handle_signals": False}
    worker = Worker(**{**known, **options}, redis_pool=redis, burst=True)
    await worker.main()
    await worker.close()
    return worker


async def test_a_worker_without_a_queue_serves_the_one_of_its_connection(redis_url: str, connection: JobsRedis) -> None:
    job = await connection.enqueue_job("count", _queue_name="elsewhere")

    await run_burst(redis_url, connection={"default_queue_name": "elsewhere"}, queue_name=None)

    assert job is not None
    assert await job.result(timeout=1) == job.job_id
    assert (await job.result_info()).queue_name == "elsewhere"  # type: ignore[union-attr]


async def test_a_cron_job_at_startup_goes_to_the_queue_of_its_worker(redis_url: str) -> None:
    worker = await run_burst(redis_url, queue_name="elsewhere", cron_jobs=[cron(count, hour=1, run_at_startup=True)])

    assert worker.jobs_complete == 1


@pytest.mark.parametrize(
    ("job_ids", "runs"), [((None, None), 1), (("one", "one"), 1), (("one", "two"), 2), ((None, "two"), 2)]
)
async def test_cron_jobs_with_one_id_are_one_job(
    redis_url: str, job_ids: tuple[str | None, str | None], runs: int
) -> None:
    jobs = [cron(count, minute=n, run_at_startup=True, job_id=job_id) for n, job_id in enumerate(job_ids)]

    assert (await run_burst(redis_url, cron_jobs=jobs)).jobs_complete == runs


async def test_a_cron_job_has_its_own_id_when_its_time_comes(connection: JobsRedis, start_worker: StartWorker) -> None:
    seen: list[str] = []

    async def note(ctx: dict[Any, Any]) -> None:
        seen.append(ctx["job_id"])

    soon = {"microsecond": 0, "second": set(range(60))}
    await start_worker(cron_jobs=[cron(note, name="cron:note", job_id="the-only-one", **soon)])

    await wait_until(lambda: seen, "the cron job to run")
    assert set(seen) == {"the-only-one"}


async def test_a_cron_job_that_is_not_unique_runs_in_each_worker(start_worker: StartWorker) -> None:
    seen: dict[str, int] = {}

    async def note(ctx: dict[Any, Any]) -> None:
        moment = datetime.now(UTC).replace(microsecond=0).isoformat()
        seen[moment] = seen.get(moment, 0) + 1

    for _ in range(2):
        await start_worker(cron_jobs=[cron(note, name="cron:note", unique=False, second=set(range(60)))])

    await wait_until(lambda: 2 in seen.values(), "both to run it at one moment")


async def test_a_job_is_aborted_where_no_slot_is_free(connection: JobsRedis, start_worker: StartWorker) -> None:
    """A worker whose slots are all used does not claim: it hears of aborts when it renews its leases."""
    await start_worker(functions=[func(sleep, name="sleep")], max_jobs=1, lease_renewal=0.2)
    running = await connection.enqueue_job("sleep")
    waiting = await connection.enqueue_job("sleep", _defer_by=timedelta(hours=1))
    assert running is not None
    assert waiting is not None
    await wait_until(lambda: connection.exists(f"arq:in-progress:{running.job_id}"), "the job to start")

    assert await running.abort(timeout=5, poll_delay=0.05)
    assert await waiting.abort(timeout=5, poll_delay=0.05)


async def test_a_job_that_has_ended_is_not_aborted(redis_url: str, connection: JobsRedis) -> None:
    job = await connection.enqueue_job("count")
    assert job is not None
    await run_burst(redis_url)

    assert not await job.abort(timeout=1)
    assert await job.result(timeout=1) == job.job_id


async def test_a_stock_job_reads_what_ours_wrote(redis_url: str, connection: JobsRedis) -> None:
    job = await connection.enqueue_job("count", _queue_name="elsewhere", _job_id="known")
    assert job is not None
    stock = Job("known", connection, _queue_name="elsewhere", _deserializer=connection.loads)
    assert (await stock.status(), await job.status()) == ("queued", "queued")

    await run_burst(redis_url, queue_name="elsewhere")

    assert await stock.result(timeout=1) == "known"
    assert await stock.status() == "complete"
