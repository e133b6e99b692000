"""What a task's code sees at its soft time limit, and what ends it at the hard one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobs import Result, task
from jobs.errors import SoftTimeLimitExceeded, TimeLimitExceeded
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

events: list[str] = []


@pytest.fixture(autouse=True)
def no_events() -> None:
    events.clear()


@task(name="limits.clean_up", soft_time_limit=0.1, time_limit=5)
async def clean_up() -> str:
    try:
        await asyncio.sleep(30)
    except SoftTimeLimitExceeded:
        await asyncio.sleep(0.01)  # what it awaits now is not interrupted again
        return "cleaned up"
    return "slept"


@task(name="limits.careless", soft_time_limit=0.1)
async def careless() -> None:
    await asyncio.sleep(30)


@task(name="limits.stubborn", soft_time_limit=0.05, time_limit=0.3)
async def stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(30)
        except SoftTimeLimitExceeded:
            events.append("told")


@task(name="limits.nested", soft_time_limit=0.1)
async def nested(how: str) -> None:
    async def part() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            events.append("part ended")

    if how == "group":
        async with asyncio.TaskGroup() as group:
            group.create_task(part())
            group.create_task(part())
    elif how == "gather":
        await asyncio.gather(part(), part())
    else:
        async with asyncio.timeout(20):
            await asyncio.wait_for(part(), 20)


@task(name="limits.quick", soft_time_limit=0.2)
async def quick() -> str:
    await asyncio.sleep(0)
    return "done"


@task(name="limits.waits", soft_time_limit=0.2, bind=True)
async def waits(self: Any, other: str) -> str:
    try:
        return str(await Result(other).get())
    except SoftTimeLimitExceeded:
        return "did not come"


TASKS = [clean_up, careless, stubborn, nested, quick, waits]


async def test_the_code_may_clean_up_and_return(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    assert await (await clean_up.delay()).get(timeout=5) == "cleaned up"


async def test_code_that_does_not_catch_it_fails_with_it(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)
    result = await careless.delay()

    with pytest.raises(SoftTimeLimitExceeded, match=r"limits.careless\[.*\] has reached its soft_time_limit of 0.1 s"):
        await result.get(timeout=5)
    assert await result.state() == "FAILURE"


async def test_it_is_told_once_and_ended_at_its_time_limit(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    with pytest.raises(TimeLimitExceeded, match=r"ran longer than 0.3 s"):
        await (await stubborn.delay()).get(timeout=5)
    assert events == ["told"]


@pytest.mark.parametrize("how", ["group", "gather", "timeout"])
async def test_nothing_that_the_code_started_is_left_running(start_worker: StartWorker, how: str) -> None:
    await start_worker(tasks=TASKS)

    with pytest.raises(SoftTimeLimitExceeded):
        await (await nested.delay(how)).get(timeout=5)
    assert events == ["part ended"] * (1 if how == "timeout" else 2)


async def test_quick_code_never_hears_of_it(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)
    results = [await quick.delay() for _ in range(20)]

    assert [await result.get(timeout=5) for result in results] == ["done"] * 20


async def test_a_wait_for_another_job_is_interrupted_too(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)
    never = await quick.apply_async(countdown=3600)

    assert await (await waits.delay(never.id)).get(timeout=5) == "did not come"


async def test_a_revoke_is_not_taken_for_the_limit(start_worker: StartWorker) -> None:
    worker = await start_worker(tasks=[slow])
    result = await slow.delay()
    await wait_until(lambda: worker.statistics().running, "the job to run")

    await result.revoke(terminate=True)

    await wait_until(result.ready, "the job to end")
    assert await result.state() == "REVOKED"


@task(name="limits.slow", soft_time_limit=60)
async def slow() -> None:
    await asyncio.sleep(30)
