"""`inspect stack`: where the jobs of a worker are, whatever runs them, and nothing of what they hold."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jobs import Result, task
from jobs.client.connection import JobsRedis
from jobs.monitor_site import stacks
from tests.jobs.commands.conftest import Cli, cli
from tests.jobs.monitor.conftest import Reach, reach
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartProcess, StartWorker
from tests.registered_tasks import forget
from tests.waiting import wait_until

__all__ = ["cli", "reach"]


async def sleeps(password: str) -> None:
    await asyncio.sleep(600)


async def in_a_task_of_its_own(password: str) -> None:
    await asyncio.wait_for(asyncio.create_task(sleeps(password)), 500)


def waits_deep(over: threading.Event, depth: int) -> None:
    if depth:
        waits_deep(over, depth - 1)
    else:
        over.wait(60)


async def test_where_each_job_is(connection: JobsRedis, start_worker: StartWorker, reach: Reach, cli: Cli) -> None:
    over = threading.Event()

    @task(name="stacks.coroutine")
    async def coroutine(password: str) -> None:
        await in_a_task_of_its_own(password)

    @task(name="stacks.thread")
    def thread(password: str) -> None:
        waits_deep(over, 50)

    try:
        worker = await start_worker(tasks=[coroutine, thread])
        calls: dict[str, Result[Any]] = {
            "coroutine": await coroutine.delay("hunter2"), "thread": await thread.delay("hunter2")
        }  # fmt: skip
        for result in calls.values():
            await reach(result, "STARTED")
        name = worker.statistics().name

        async def all_there() -> Any:
            found = {one.kind: one for one in await stacks(connection, name) or []}
            deep = {place.function for one in found.values() for place in one.places}
            return {"sleeps", "waits_deep"} <= deep and found

        found = await wait_until(all_there, "both to be in their functions")
        said = await cli("inspect", "stack", "-d", name)
    finally:
        over.set()
        forget("stacks.coroutine")
        forget("stacks.thread")

    assert {kind: one.id for kind, one in found.items()} == {kind: result.id for kind, result in calls.items()}
    functions = [place.function for place in found["coroutine"].places]
    assert functions[0].endswith("coroutine")
    assert functions[1] == "in_a_task_of_its_own"
    assert "sleeps" in functions
    assert len(found["thread"].places) == 30
    assert found["thread"].places[-1].function == "Condition.wait"
    assert f"{calls['thread'].id}  stacks.thread  thread" in said.lines
    assert any("test_stacks.py" in line and "sleeps" in line for line in said.lines)
    assert "hunter2" not in said.out


async def test_a_worker_that_is_gone_or_blocked(
    connection: JobsRedis, start_process: StartProcess, monkeypatch: pytest.MonkeyPatch, reach: Reach, cli: Cli
) -> None:
    assert await stacks(connection, "nobody") is None
    monkeypatch.setattr("jobs.monitor_site.job_stacks.PATIENCE_S", 0.3)
    await start_process(LEASE_RENEWAL="0.1")
    blocked = await tasks.block.delay(60)
    await reach(blocked, "STARTED")

    with pytest.raises(TimeoutError):
        await stacks(connection, (await blocked.info()).worker)
    said = await cli("inspect", "stack")
    assert (said.code, "its event loop is blocked" in said.err) == (69, True)
