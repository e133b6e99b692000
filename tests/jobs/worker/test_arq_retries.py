"""What asks for a retry in arq's words gets it in a task too, unless the worker was told that nothing runs again."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import pytest
from arq.worker import JobExecutionFailed

from jobs import chain
from jobs.client.connection import JobsRedis
from jobs.errors import MaxRetriesExceeded
from jobs.testing import eager
from tests.jobs.worker import tasks
from tests.jobs.worker.arq_tasks import T, defers, enough, is_started, own_defers, process_defers, runs, thread_defers
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def no_runs() -> None:
    runs.clear()


RETRIES = ["self.retry", "Retry()", "Retry(0.3)", "Retry(defer=timedelta)", "RetryJob"]


async def test_what_asks_for_a_retry_gets_it(connection: JobsRedis, start_worker: StartWorker) -> None:
    """`raise Retry(defer=...)` in a task is one of its retries, in a loop, a thread and a process."""
    await start_worker(**enough())
    for how in RETRIES:
        runs.clear()
        result = await own_defers.delay(how)
        others = [await one.delay(how) for one in (thread_defers, process_defers)]

        with pytest.raises(MaxRetriesExceeded):
            await result.get(timeout=T)
        assert len(runs) == 2
        if "0.3" in how or "timedelta" in how:
            assert runs[1] - runs[0] >= timedelta(seconds=0.3)
        assert [attempt.outcome for attempt in (await result.info()).history] == ["RETRY", "FAILURE"]
        with pytest.raises(MaxRetriesExceeded):
            await others[0].get(timeout=T)
        assert await others[1].get(timeout=2 * T) == 1


async def test_a_retry_of_arq_is_one_in_eager_mode_too() -> None:
    with eager(), pytest.raises(MaxRetriesExceeded):
        await (await own_defers.delay("Retry(0.3)")).get()
    assert len(runs) == 2


async def test_without_retry_jobs_nothing_runs_again(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(**enough(retry_jobs=False))
    for how in RETRIES:
        runs.clear()
        result = await defers.delay(how)
        assert isinstance(await result.get(timeout=T, propagate=False), Exception)
        assert await result.state() == "FAILURE"
        assert len(runs) == 1
    for how in RETRIES[1:]:
        runs.clear()
        job = await connection.enqueue_job("f_defers", how)
        assert job is not None
        with pytest.raises(RuntimeError):
            await job.result(timeout=T, poll_delay=0.05)
        assert len(runs) == 1


async def test_without_retry_jobs_what_a_shutdown_stops_has_failed_but_no_workflow(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    worker = await start_worker(**enough(retry_jobs=False, job_completion_wait=0))
    result, workflow = await tasks.nap.delay(T), await chain(tasks.nap.s(T), tasks.log.s()).delay()
    await wait_until(lambda: is_started(result, workflow), "both to start")
    worker.handle_sig(signal.SIGTERM)
    await asyncio.wait([worker.main_task])  # type: ignore[list-item]  # it was set by main

    with pytest.raises(JobExecutionFailed, match="its worker was stopped, and it may not run again"):
        await result.get(timeout=T)
    assert not await workflow.ready()
