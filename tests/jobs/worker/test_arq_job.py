"""`arq.jobs.Job` on arq's own client answers as arq documents, whoever ran the job."""

from __future__ import annotations

import asyncio

import pytest
from arq.jobs import Job, JobStatus

import jobs
from jobs import connect
from jobs.client.connection import JobsRedis
from jobs.encoding import loads_job
from jobs.errors import TaskRevoked
from tests.jobs.worker.arq_tasks import T, enough, stock_pool
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


async def test_a_stock_job_answers_as_arq_documents(redis_url: str, start_worker: StartWorker) -> None:
    """`abort`, `result`, `status` and `info` of a job that waits, is deferred, runs, failed, ended or is unknown."""
    await start_worker(**enough(max_jobs=3, lease_renewal=0.2, allow_abort_jobs=True))
    async with stock_pool(redis_url) as pool:
        running = [await pool.enqueue_job("f_naps", T), await pool.enqueue_job("arq_options.nap", T)]
        for job in running:
            await wait_until(lambda job=job: has_status(job, JobStatus.in_progress), "the job to run")
        late = [await pool.enqueue_job("f", _defer_by=T), await pool.enqueue_job("arq_options.nap", 0, _defer_by=T)]
        assert [await job.status() for job in late] == [JobStatus.deferred] * 2

        for job in (*running, *late):
            assert await job.abort(timeout=T, poll_delay=0.05) is True
            assert await job.status() == JobStatus.complete
            info = await job.info()
            assert (info.success, type(info.result)) == (False, asyncio.CancelledError)
            with pytest.raises(asyncio.CancelledError):
                await job.result(timeout=T)
            assert await job.abort(timeout=T) is True  # as arq: it has ended in a cancellation
            with pytest.raises(TaskRevoked):
                async with connect(redis_url):
                    await jobs.Result(job.job_id).get(timeout=T)

        done, failed = await pool.enqueue_job("f", 5), await pool.enqueue_job("tests.fail", "no luck")
        assert await done.result(timeout=T, poll_delay=0.05) == 5
        assert await done.abort(timeout=T) is False
        for ask in (failed.result, failed.abort):
            with pytest.raises(ValueError, match="no luck"):
                await ask(timeout=T, poll_delay=0.05)
        assert (await failed.info()).success is False
        assert await Job("nobody", pool, _deserializer=loads_job).status() == JobStatus.not_found
        assert await Job("nobody", pool, _deserializer=loads_job).info() is None
        assert await Job("nobody", pool, _deserializer=loads_job).abort(timeout=T) is False


async def has_status(job: Job, status: JobStatus) -> bool:
    return await job.status() == status


async def test_an_expired_job_says_so_to_arq(redis_url: str, start_worker: StartWorker) -> None:
    async with stock_pool(redis_url) as pool, connect(redis_url) as connection:
        await connection.enqueue_job("f", _job_id="late", _expires=0.001)
        await wait_until(lambda: is_past(connection), "the job to expire")
        await start_worker(**enough())
        job = Job("late", pool, _deserializer=loads_job)

        with pytest.raises(TaskRevoked, match="expired"):
            await job.result(timeout=T, poll_delay=0.05)


async def is_past(connection: JobsRedis) -> bool:
    expires = await connection.hget("jobs:job:late", "expires")  # type: ignore[misc]  # its stub
    seconds, microseconds = await connection.time()
    return int(expires) < seconds * 1000 + microseconds // 1000
