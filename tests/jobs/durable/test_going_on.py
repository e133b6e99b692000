"""A job waits once its code cannot go on by itself: not while the end of a step is on its way to what awaits it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jobs import CurrentJob, task
from jobs.testing import Clock, Workers
from tests.jobs.durable.durable_tasks import Declined, decline, done, note

Branch = Callable[[CurrentJob], Awaitable[Any]]


async def gathers(self: CurrentJob) -> None:
    await asyncio.gather(self.step("a1", note, "a1"), self.step("a2", note, "a2"))


async def gathers_deep(self: CurrentJob) -> None:
    ended: Any = asyncio.gather(self.step("a1", note, "a1"))
    for _ in range(20):
        ended = asyncio.gather(ended, asyncio.shield(ended))
    await ended


async def groups(self: CurrentJob) -> None:
    async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
        inner.create_task(self.step("a1", note, "a1"))
        outer.create_task(asyncio.wait_for(self.step("a2", note, "a2"), 60))


async def takes_turns(self: CurrentJob) -> None:
    await self.step("a1", note, "a1")
    for _ in range(200):
        await asyncio.sleep(0)


BRANCHES: dict[str, Branch] = {one.__name__: one for one in (gathers, gathers_deep, groups, takes_turns)}


async def run_branch(self: CurrentJob, name: str) -> str:
    await BRANCHES[name](self)
    return await self.step("last", note, "last")


@task(name="going_on.beside", bind=True)
async def beside(self: CurrentJob, name: str) -> list[Any]:
    return await asyncio.gather(run_branch(self, name), self.wait_for_event("word"))


@task(name="going_on.grouped", bind=True, time_limit=60)
async def grouped(self: CurrentJob, name: str) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        ended = [group.create_task(run_branch(self, name)), group.create_task(self.wait_for_event("word"))]
    return [one.result() for one in ended]


async def fail(self: CurrentJob) -> Any:
    return await self.step("decline", decline, "no")


@task(name="going_on.fails", bind=True, raises=(Declined,))
async def fails(self: CurrentJob) -> Any:
    return await asyncio.gather(asyncio.gather(fail(self)), self.wait_for_event("word"))


@task(name="going_on.fails_in_group", bind=True, time_limit=60)
async def fails_in_group(self: CurrentJob) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail(self))
        group.create_task(self.wait_for_event("word"))


ALL = [beside, grouped, fails, fails_in_group]


@pytest.fixture(params=[False, True], ids=["", "replays"])
def replays(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("waits", [beside, grouped])
async def test_a_branch_beside_a_wait_goes_on_to_its_end(
    jobs_worker: Workers, jobs_clock: Clock, replays: bool, waits: Any, name: str
) -> None:
    async with jobs_worker(tasks=ALL) as worker:
        worker.pool.replays = replays
        result = await waits.delay(name)
        await jobs_clock.advance()
        assert done["last"] == 1
        assert await result.state() == "STARTED"

        await result.send_event("word", "yes")

        assert await result.get(timeout=5) == ["last", "yes"]
        assert set(done.values()) == {1}


@pytest.mark.parametrize("failing", [fails, fails_in_group])
async def test_a_step_that_fails_beside_a_wait_ends_the_job(
    jobs_worker: Workers, jobs_clock: Clock, replays: bool, failing: Any
) -> None:
    async with jobs_worker(tasks=ALL) as worker:
        worker.pool.replays = replays
        result = await failing.delay()
        await jobs_clock.advance()
        assert await result.state() == "FAILURE"
        assert not await worker.pool.exists(worker.pool.key.AWAITING)
