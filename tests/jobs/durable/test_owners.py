"""What the owner of a claim may write of a job with steps, and nobody else; and what it may write twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobs import CurrentJob, Result, task
from jobs.store.call import Call
from jobs.store.keys import MOST_STEPS, STEPS_BYTES
from jobs.testing import Workers
from jobs.worker import Worker
from tests.jobs.durable.durable_tasks import done
from tests.waiting import wait_until


@task(name="durable.holds", bind=True)
async def holds(self: CurrentJob) -> None:
    await self.step("hold", done_hold)


async def done_hold() -> None:
    done["hold"] += 1
    await asyncio.Event().wait()


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    async with jobs_worker(tasks=[holds]) as worker:
        worker.pool.replays = False
        yield worker


async def held_by(worker: Worker) -> tuple[Result[Any], str]:
    """A job that runs, and the token of its owner."""
    result = await holds.delay()
    await wait_until(lambda: done["hold"], "the step to begin")
    owner = await worker.pool.hget(worker.pool.key.RECORD + result.id, "owner")  # type: ignore[misc]
    return result, (owner or b"").decode()


def child_of(result: Result[Any]) -> Call:
    return Call(f"{result.id}::run:kid", "none", b"\x80", "kid", parent=result.id, path="run:kid")


@pytest.mark.parametrize("fill", ["number", "bytes"])
async def test_a_child_whose_answer_was_lost_is_recorded_though_there_is_no_room_for_more(
    worker: Worker, fill: str
) -> None:
    result, token = await held_by(worker)
    words = result.id, token, "run:kid", b"C", *child_of(result).words()
    assert await worker.pool.run_script("child", *words) == [1, 1]
    if fill == "number":
        more = {f"step:{n}": b"S" for n in range(MOST_STEPS)}
        await worker.pool.hset(worker.pool.key.STEPS + result.id, mapping=more)  # type: ignore[misc, arg-type]
    else:
        await worker.pool.hset(worker.pool.key.RECORD + result.id, "steps", STEPS_BYTES)  # type: ignore[misc]

    assert await worker.pool.run_script("child", *words) == [1, 0]
    other = result.id, token, "run:other", b"C", *child_of(result).words()
    assert (await worker.pool.run_script("child", *other))[0] < 0
    await result.revoke(terminate=True)


@pytest.mark.parametrize("is_owner", [True, False])
async def test_only_the_owner_of_a_job_says_that_a_child_is_refused(worker: Worker, is_owner: bool) -> None:
    result, token = await held_by(worker)
    call = child_of(result)
    if not is_owner:
        token = "of a claim before"
    words = result.id, call.path, call.id, call.task, call.queue, b"", "why", 1000, 1000, token

    assert await worker.pool.run_script("refuse", *words) == int(is_owner)
    assert await worker.pool.hexists(worker.pool.key.JOURNAL + result.id, call.path) == is_owner  # type: ignore[misc]
    await result.revoke(terminate=True)


async def test_a_member_that_was_called_meanwhile_is_not_refused(worker: Worker) -> None:
    result, token = await held_by(worker)
    call = child_of(result)
    await worker.pool.run_script("child", result.id, token, call.path, b"C", *call.words())
    words = result.id, call.path, call.id, call.task, call.queue, b"", "why", 1000, 1000, ""

    assert await worker.pool.run_script("refuse", *words) == 0
    await result.revoke(terminate=True)
