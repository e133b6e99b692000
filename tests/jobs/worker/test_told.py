"""What an operator tells a worker through its channel, and what it logs and says of itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from arq.worker import func

from jobs import Result, task
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartProcess, StartWorker
from tests.registered_tasks import forget
from tests.waiting import wait_until


async def _tell(connection: JobsRedis, worker: str, word: str) -> None:
    async def heard() -> bool:
        return bool(await connection.publish(Keys.CONTROL + worker, word))

    await wait_until(heard, "the worker to listen")


async def test_a_quiet_worker_ends_what_it_runs_and_takes_no_more(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    worker = await start_worker()
    running = await tasks.nap.delay(0.3)
    await wait_until(lambda: worker.statistics().running, "the job to start")

    await _tell(connection, worker.statistics().name, "quiet")
    await wait_until(lambda: worker.statistics().quiet, "the worker to obey")
    waiting = await tasks.log.delay("later")

    assert await running.get(timeout=5) == "rested"
    assert not worker.main_task.done()
    assert await waiting.state() == "PENDING"
    other = await start_worker()
    assert await waiting.get(timeout=5) == "later"
    assert other.statistics().started == 1


async def test_a_worker_that_is_told_to_shut_down_ends_well(connection: JobsRedis, start_process: StartProcess) -> None:
    worker = await start_process()
    running = await tasks.nap.delay(0.3)

    async def started() -> bool:
        return await running.state() == "STARTED"

    await wait_until(started, "the job to start")
    [name] = await connection.zrange(Keys.WORKERS, 0, -1)
    await _tell(connection, name.decode(), "shutdown")

    assert await worker.wait_until_ended() == 0
    assert await running.get(timeout=5) == "rested"
    assert await connection.zcard(Keys.WORKERS) == 0


async def test_secrets_stay_out_of_the_log(
    connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    @task(name="told.create_user")
    async def create_user(name: str, password: str) -> int:
        return 42

    async def arq_way(ctx: Any, token: str) -> None: ...

    caplog.set_level(logging.INFO)
    try:
        await start_worker(tasks=[create_user], functions=[func(arq_way, name="told.arq_way")])
        result = await create_user.apply_async(("John Doe", "hunter2"))
        assert await result.get(timeout=5) == 42
        job = await connection.enqueue_job("told.arq_way", "hunter3")
        await Result(job.job_id).get(timeout=5)
    finally:
        forget(create_user.name)

    assert "'John Doe', password='***'" in caplog.text
    assert "token='***'" in caplog.text
    assert "hunter" not in caplog.text
