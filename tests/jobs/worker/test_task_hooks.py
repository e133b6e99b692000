"""A renamed task, and the hooks of a task."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobs import CurrentJob, Signature, task
from tests.jobs.worker.conftest import StartWorker

heard: list[tuple[Any, ...]] = []


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    heard.clear()


async def succeeded(job: CurrentJob, value: Any) -> None:
    await asyncio.sleep(0)
    heard.append(("success", job.name, value))


def failed(job: CurrentJob, error: BaseException) -> None:
    heard.append(("failure", job.request.retries, repr(error)))


def retried(job: CurrentJob, error: BaseException) -> None:
    heard.append(("retry", job.request.retries, repr(error)))


def broken(job: CurrentJob, value: Any) -> None:
    raise ZeroDivisionError("a defect of the hook")


@task(
    name="hooks.divide",
    autoretry_for=(ZeroDivisionError,),
    max_retries=2,
    default_retry_delay=0,
    on_success=succeeded,
    on_failure=failed,
    on_retry=retried,
)
async def divide(x: int, y: int) -> float:
    return x / y


@task(name="hooks.broken", on_success=broken)
async def with_broken_hook() -> str:
    return "fine"


@task(name="hooks.new_name", aliases=["hooks.old_name"])
async def renamed(x: int) -> int:
    return x


async def test_success_is_told_with_the_value(start_worker: StartWorker) -> None:
    await start_worker(tasks=[divide])

    await (await divide.delay(6, 3)).get(timeout=5)

    assert heard == [("success", "hooks.divide", 2.0)]


async def test_each_retry_is_told_and_then_the_failure(start_worker: StartWorker) -> None:
    await start_worker(tasks=[divide])

    with pytest.raises(ZeroDivisionError):
        await (await divide.delay(1, 0)).get(timeout=5)

    error = "ZeroDivisionError('division by zero')"
    assert heard == [("retry", 0, error), ("retry", 1, error), ("failure", 2, error)]


async def test_a_hook_that_fails_is_logged_and_hurts_nobody(
    start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    await start_worker(tasks=[with_broken_hook])

    assert await (await with_broken_hook.delay()).get(timeout=5) == "fine"
    assert "hooks.broken: the hook broken failed" in caplog.text


async def test_a_call_under_an_old_name_still_runs(start_worker: StartWorker) -> None:
    await start_worker(tasks=[renamed])

    assert await (await Signature("hooks.old_name", (4,)).delay()).get(timeout=5) == 4
