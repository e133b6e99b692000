"""What a retry does again: what failed. Steps and children that succeeded are kept, however deep they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobs import CurrentJob, Result, chain, group, task
from jobs.testing import Clock, Workers
from jobs.worker import Worker
from tests.jobs.durable.durable_tasks import done, note
from tests.waiting import wait_until

failing: set[str] = set()
events: dict[str, asyncio.Event] = {}


async def may_fail(word: str) -> str:
    done[f"may fail {word}"] += 1
    if word in failing:
        raise OSError(word)
    return word


@task(name="retrying.pays", bind=True)
async def pays(self: CurrentJob, word: str = "step") -> str:
    await self.step("pay", note, "pay")
    return await self.step("fails", may_fail, word)


@task(name="retrying.plain")
async def plain(word: str) -> str:
    return await may_fail(word)


@task(name="retrying.late", ignore_result=True)
async def late() -> str:
    events["began"].set()
    await events["may end"].wait()
    return await note("late")


@task(name="retrying.calls", bind=True)
async def calls(self: CurrentJob) -> str:
    await self.step("begin", note, "begin")
    return str(await self.run(pays.s()))


@task(name="retrying.calls_calls", bind=True)
async def calls_calls(self: CurrentJob) -> str:
    return str(await self.run(calls.s()))


@task(name="retrying.retries", bind=True, autoretry_for=(Exception,), max_retries=1, default_retry_delay=60)
async def retries(self: CurrentJob) -> str:
    return str(await self.run(calls.s()))


@task(name="retrying.flow", bind=True)
async def flow(self: CurrentJob) -> Any:
    return await self.run(group(pays.s("good"), plain.s("plain"), chain(pays.s("pays"), plain.s())))


@task(name="retrying.leaves", bind=True)
async def leaves(self: CurrentJob) -> Any:
    child = asyncio.create_task(self.run(late.s()))
    await self.step("waits", events["began"].wait)
    await self.step("fails", may_fail, "step")
    return await child


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    failing.clear()
    failing.add("step")
    events.update({name: asyncio.Event() for name in ("began", "may end")})
    async with jobs_worker(tasks=[pays, plain, late, calls, calls_calls, retries, flow, leaves]) as worker:
        worker.pool.replays = False
        yield worker


FAILED = [chain(pays.s(), plain.s()), group(pays.s(), plain.s("plain")), pays.s(), calls.s(), calls_calls.s()]


@pytest.mark.parametrize("call", FAILED, ids=["chain", "group", "job", "child", "child of a child"])
async def test_a_retry_does_again_what_failed(worker: Worker, jobs_clock: Clock, call: Any) -> None:
    result = await call.delay()
    await jobs_clock.advance()
    for _ in range(2):
        assert await result.state() == "FAILURE"
        assert await result.retry_failed()
        await jobs_clock.advance()
    failing.clear()

    assert await result.retry_failed()
    await jobs_clock.advance()

    assert "step" in str(await result.get(timeout=5))
    assert done["may fail step"] - (call is FAILED[0]) == 4
    assert {done[word] for word in done if not word.startswith("may fail step")} == {1}


async def test_so_does_one_by_the_caller_itself(worker: Worker, jobs_clock: Clock) -> None:
    result = await retries.delay()
    await jobs_clock.advance()
    failing.clear()
    await jobs_clock.advance(minutes=2)

    assert await result.get(timeout=5) == "step"
    assert done == {"begin": 1, "pay": 1, "may fail step": 2}


async def test_a_workflow_that_a_job_has_called_goes_on_too(worker: Worker, jobs_clock: Clock) -> None:
    failing.add("pays")
    result = await flow.delay()
    await jobs_clock.advance()
    assert await result.state() == "FAILURE"
    failing.clear()

    assert await result.retry_failed()
    await jobs_clock.advance()

    assert await result.get(timeout=5) == ["good", "plain", "pays"]
    assert done == {"pay": 2, "may fail good": 1, "may fail plain": 1, "may fail pays": 3}


async def test_the_result_of_a_child_that_ends_after_its_caller_is_kept(worker: Worker, jobs_clock: Clock) -> None:
    result = await leaves.delay()
    await wait_until(lambda: _is(result, "FAILURE"), "it to fail")
    events["may end"].set()
    await wait_until(lambda: _is(Result(f"{result.id}::run:retrying.late"), "SUCCESS"), "its child to end")
    failing.clear()

    assert await result.retry_failed()

    assert await result.get(timeout=5) == "late"
    assert done["late"] == 1


async def test_another_life_of_an_id_begins_anew(worker: Worker, jobs_clock: Clock) -> None:
    for n in (1, 2):
        result = await chain(pays.s(), plain.s()).apply_async(task_id="flow:1")
        await jobs_clock.advance()
        assert await result.state() == "FAILURE"
        assert done["pay"] == n
        await result.forget()


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state
