"""A traceback in the log and in the history begins with the application's own code; one of a fault of ours is whole."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest

from jobs import QuarqError, task
from jobs.client.connection import JobsRedis
from tests.jobs.worker.conftest import StartWorker


def deepest(text: str) -> None:
    raise ValueError(text)


@task(name="heads.async")
async def in_loop() -> None:
    deepest("in the loop")


@task(name="heads.plain", time_limit=60, on_failure=lambda job, error: None)
async def within_limits() -> None:
    deepest("within limits")


@task(name="heads.thread")
def in_thread() -> None:
    deepest("in a thread")


@task(name="heads.coroutine")
def hands_on() -> Any:
    return in_loop.function()


@task(name="heads.calls")
async def calls_another() -> None:
    await in_thread()


@task(name="heads.retry", bind=True, default_retry_delay=0, max_retries=1)
def tries_again(self: Any) -> None:
    self.retry(exc=ValueError("made for it"))


@task(name="heads.process", process=True)
def in_process() -> None:
    deepest("in a process")


async def of_arq(ctx: Any) -> None:
    deepest("of arq")


@task(name="heads.late", time_limit=0.01)
async def late() -> None:
    await asyncio.sleep(60)


def files_of(text: str) -> list[str]:
    """The modules and functions of the first traceback."""
    first = text.split("\n\n")[0]
    return re.findall(r'File "[^"]*[/"](\w+)\.py", line \d+, in (\w+)', first)


OWN = [in_loop, within_limits, in_thread, hands_on, calls_another, tries_again]


@pytest.mark.parametrize("one", OWN, ids=lambda one: one.name)
async def test_it_begins_with_the_code_of_the_application(
    one: Any, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    await start_worker(tasks=OWN)
    result = await one.delay()

    assert isinstance(await result.get(timeout=10, propagate=False), ValueError)

    [*_, record] = [line for line in caplog.records if line.levelno == logging.ERROR]
    logged = logging.Formatter().formatException(record.exc_info)  # type: ignore[arg-type]
    for text in (logged, *(attempt.text for attempt in (await result.info()).history)):
        files = files_of(text)
        assert files[0][0] == "test_tracebacks", text
        assert files[-1][1] in ("deepest", "retry", "tries_again", "call")


async def test_so_it_does_of_arq_and_of_a_process(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(tasks=[in_process], functions=[of_arq])
    job = await connection.enqueue_job("of_arq")
    result = await in_process.delay()
    assert job is not None

    with pytest.raises(ValueError, match="of arq") as raised:
        await job.result(timeout=10)
    with pytest.raises(ValueError, match="in a process") as there:
        await result.get(timeout=30)

    [note], [theirs] = raised.value.__notes__, there.value.__notes__
    assert [name for _, name in files_of(note)] == ["of_arq", "deepest"]
    assert "in deepest" in theirs
    assert "run_now" not in theirs


async def test_an_error_of_the_library_keeps_all(start_worker: StartWorker) -> None:
    await start_worker(tasks=[late])
    result = await late.delay()

    assert isinstance(await result.get(timeout=10, propagate=False), QuarqError)

    [attempt] = (await result.info()).history
    assert 'runner.py", line' in attempt.text
