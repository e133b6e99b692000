"""A workflow that waits for a step due later: no worker is needed meanwhile, and nothing of it expires."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import Result, chain
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from jobs.worker import Worker, orchestrator
from jobs.worker.orchestrator import Orchestration
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import append
from tests.waiting import wait_until

DAY_S = 86_400


async def test_every_worker_is_replaced_while_the_second_step_waits(
    redis: Redis, connection: JobsRedis, start_process: Any, tmp_path: Path
) -> None:
    workers = [await start_process() for _ in range(2)]
    report = tmp_path / "report"
    result = await two_steps(report, countdown=5).delay()
    second_step = Result(f"{result.id}:1")
    await wait_until(lambda: _waits(second_step), "the second step to wait")

    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
        await worker.wait_until_ended()
    left = await keys_of(redis, result)
    await start_process()

    assert await result.get(timeout=15) == 1
    assert report.read_text() == "start one\nend one\nstart two\nend two\n"
    assert left.keys() >= {Keys.TREE + result.id, Keys.JOURNAL + result.id, Keys.JOB + result.id}
    assert Keys.JOB + second_step.id in left
    assert {name for name, ttl in left.items() if ttl != -1} <= {Keys.RECORD + f"{result.id}:0"}
    assert not [name for name in left if name.startswith(Keys.IN_PROGRESS)]


async def test_a_step_due_in_ten_days(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.1)
    first = await start_worker()
    report = tmp_path / "report"
    called = await two_steps(report, countdown=10 * DAY_S).delay()
    result = Result(called.id, connection)  # that of the first worker closes with it
    await wait_until(lambda: redis.hexists(Keys.RECORD + result.id, "parked"), "it to be parked")
    await first.close()
    for day in range(1, 10):
        await redis.set(Keys.CLOCK, day * DAY_S * 1000)
        await _look_and_park(await start_worker())
        assert -1 == await redis.ttl(Keys.TREE + result.id) == await redis.ttl(Keys.JOURNAL + result.id)
    assert report.read_text() == "start one\nend one\n"
    assert await result.state() == "STARTED"

    await redis.set(Keys.CLOCK, 10 * DAY_S * 1000)
    await start_worker()

    assert await result.get(timeout=10) == 1
    assert report.read_text() == "start one\nend one\nstart two\nend two\n"


def two_steps(report: Path, countdown: float) -> chain:
    return chain(append.s(str(report), "one"), append.si(str(report), "two").set(countdown=countdown))


async def keys_of(redis: Redis, result: Result) -> dict[str, int]:
    """Every key of a workflow and of its members, with its seconds to live."""
    return {key.decode(): await redis.ttl(key) async for key in redis.scan_iter(f"*{result.id}*")}


async def _waits(result: Result) -> bool:
    return await result.state() == "PENDING"


async def _look_and_park(worker: Worker) -> None:

    def has_parked() -> bool:
        now = worker.statistics()
        return now.started == 1 and not now.running

    await wait_until(has_parked, "it to be parked again")
    await worker.close()


async def test_a_workflow_that_misses_its_cancellation_does_not_hold_up_a_shutdown(
    connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py on Python 3.11 can lose one that meets a time-out of its own."""
    wait, missed = Orchestration._until_ended, []

    async def wait_again(self: Orchestration, evaluation: asyncio.Future[Any]) -> Any:
        try:
            return await wait(self, evaluation)
        except asyncio.CancelledError:
            missed.append(self)
            return await wait(self, evaluation)

    monkeypatch.setattr(Orchestration, "_until_ended", wait_again)
    worker = await start_worker(job_completion_wait=0)
    workflow = await chain(tasks.nap.s(60), tasks.log.s()).delay()
    await wait_until(lambda: worker.statistics().running == 2, "both to start")

    async with asyncio.timeout(20):
        worker.handle_sig(signal.SIGTERM)
        await asyncio.wait([worker.main_task])  # type: ignore[list-item]  # it was set by main

    assert missed
    assert await workflow.state() == "PENDING"
