"""What people see of jobs with steps, and what they do: steps, `why`, who waits, events, and run again from a step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobs import CurrentJob, EventRefused, NotRetried, Result, monitor, task
from jobs.testing import Clock, Workers
from jobs.worker import Worker
from tests.jobs.durable import durable_tasks as tasks
from tests.jobs.durable.durable_tasks import child, decline, done, note


async def secret() -> dict[str, str]:
    return {"password": "hunter2", "user": "ann"}


@task(name="durable.shown", bind=True, raises=(tasks.Declined,))
async def shown(self: CurrentJob) -> Any:
    await self.step("account", secret)
    await self.step("api_key", note, "hunter3")
    await self.step("row", note, "<b>&", key=7)
    await self.run(child.s("label"))
    try:
        await self.step("charge", decline, "no money")
    except tasks.Declined:
        await self.sleep(3600)
    answer = await self.wait_for_event("approval", timeout=86_400)
    await self.wait_for_event("never", timeout=60, default=None)
    return await self.step("last", note, f"answer {answer}")


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    done.clear()
    async with jobs_worker(tasks=[shown, many, *tasks.ALL]) as worker:
        worker.pool.replays = False
        yield worker


async def why(worker: Worker, result: Result) -> list[tuple[str, str]]:
    return [(reason.code, reason.text) for reason in await monitor.why(worker.pool, result.id)]


async def test_the_steps_of_a_job_its_waits_and_a_run_from_the_middle(worker: Worker, jobs_clock: Clock) -> None:
    redis, result = worker.pool, await shown.delay()
    await jobs_clock.advance()
    [(code, text)] = await why(worker, result)
    assert (code, text[:16]) == ("suspended", "it sleeps until ")
    assert not await monitor.awaiting(redis)

    await jobs_clock.advance(hours=2)
    [(code, text)] = await why(worker, result)
    assert code == "suspended"
    assert text.startswith("it waits for the event approval since 2")
    assert ", until 2" in text
    [row] = await monitor.awaiting(redis)
    assert (row.job.id, [wait.name for wait in row.waits], row.job.state) == (result.id, ["approval#1"], "STARTED")
    read, *_ = await redis.run_script("steps", result.id, 500, 4096, "waits")
    assert [field for field, *_ in read] == [b"event:approval#1"]  # of other steps nothing is read for that

    await monitor.send_event(redis, result.id, "approval", {"token": "hunter4", "ok": True}, by="ann", note="as agreed")
    await jobs_clock.advance(minutes=2)
    assert await result.get(timeout=5) == "answer {'token': 'hunter4', 'ok': True}"
    assert not await monitor.awaiting(redis)

    found = await monitor.steps(redis, result.id)
    assert [(one.field, one.kind, one.state, one.value) for one in found] == [
        ("step:account", "step", "done", "{'password': '***', 'user': 'ann'}"),
        ("step:api_key", "step", "done", "***"),
        ("step:row[7]", "step", "done", "'<b>&'"),
        ("run:durable.child", "child", "done", "'label'"),
        ("step:charge", "step", "failed", "tests.jobs.durable.durable_tasks.Declined: no money"),
        ("sleep:sleep", "sleep", "done", ""),
        ("event:approval#1", "event", "done", "{'token': '***', 'ok': True}"),
        ("event:never#1", "event", "timed-out", ""),
        ("step:last", "step", "done", "\"answer {'token': 'hunter4', 'ok': True}\""),
    ]
    assert (found[6].by, found[6].note, found[3].job) == ("ann", "as agreed", f"{result.id}::run:durable.child")

    again = await monitor.run_from(redis, result.id, "event:approval#1")
    assert again == f"{result.id}~2"
    await jobs_clock.advance()
    await monitor.send_event(redis, again, "approval", "no")
    await jobs_clock.advance(minutes=2)
    assert await Result(again).get(timeout=5) == "answer no"
    assert done["no money"] == done["child label"] == 1


async def test_what_cannot_be_done(worker: Worker, jobs_clock: Clock) -> None:
    redis, result = worker.pool, await shown.delay()
    with pytest.raises(EventRefused, match="is UNKNOWN"):
        await monitor.send_event(redis, "nobody", "approval")
    await jobs_clock.advance()
    with pytest.raises(NotRetried, match="has no step 'step:none'"):
        await monitor.run_from(redis, result.id, "step:none")
    assert await monitor.steps(redis, "nobody") == []
    await result.revoke()


async def test_of_many_steps_and_of_large_values_the_beginning_is_read(worker: Worker, jobs_clock: Clock) -> None:
    redis, result = worker.pool, await many.delay(1_200)
    await jobs_clock.advance()
    found = await monitor.steps(redis, result.id)

    assert len(found) == 500
    assert [one.kind for one in found if one.kind != "step"] == ["event"]
    large = next(one for one in await monitor.steps(redis, result.id, 2_000) if one.name == "large")
    assert large.value == "<100,051 bytes>"
    assert large.began is not None
    await result.send_event("word", "x" * 100_000)
    assert await result.get(timeout=5) == 1_200
    [event] = [one for one in await monitor.steps(redis, result.id) if one.kind == "event"]
    assert (event.state, event.value) == ("done", "<not shown>")


async def large() -> str:
    return "x" * 100_000


@task(name="durable.many", bind=True)
async def many(self: CurrentJob, n: int) -> int:
    await self.step("large", large)
    for number in range(n):
        await self.step("row", note, "x", key=number)
    await self.wait_for_event("word")
    return n
