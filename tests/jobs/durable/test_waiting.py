"""A job that waits holds nothing, and goes on as the same job: suspension, limits, expiry, revokes, events, reruns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from jobs import (
    CurrentJob,
    EventRefused,
    NotRetried,
    Result,
    TaskRevoked,
    Unique,
    chain,
    monitor_site,
    task,
    wait_for_event,
)
from jobs.store.keys import EVENTS_BYTES, LAST_MS
from jobs.testing import Clock, Workers
from jobs.worker import Worker
from tests.jobs.durable import durable_tasks as tasks
from tests.jobs.durable.durable_tasks import child, done, note

started: list[str] = []


@task(name="durable.waits_long", bind=True, max_concurrency=1, rate_limit="2/h", expires=60, time_limit=5)
async def waits_long(self: CurrentJob, word: str) -> str:
    started.append(word)
    await self.step("first", note, f"first {word}")
    await self.sleep(timedelta(minutes=10))
    return await self.step("last", note, f"last {word}")


@task(name="durable.approval", bind=True)
async def approval(self: CurrentJob) -> list[Any]:
    return [await self.wait_for_event("approval"), self.request.attempts, self.request.retries]


@task(name="durable.swallows", bind=True)
async def swallows(self: CurrentJob) -> str:
    try:
        await self.sleep(60)
    except asyncio.CancelledError:
        try:
            await self.step("never", note, "never")
        except asyncio.CancelledError:
            return "dropped"
    return "kept"


@task(name="durable.same_name", bind=True)
async def same_name(self: CurrentJob) -> None:
    await asyncio.gather(self.step("one", note, "1"), self.step("one", note, "2"))


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    """One that does not replay after each step: as in production."""
    started.clear()
    async with jobs_worker(
        tasks=[*tasks.ALL, waits_long, approval, swallows, same_name, runs_later, one_at_a_time, fails_once]
    ) as worker:
        worker.pool.replays = False
        yield worker


async def test_a_suspended_job_holds_no_place_and_takes_it_again(worker: Worker, jobs_clock: Clock) -> None:
    """Two starts fill the rate; continuing is no start. Another job has the place meanwhile. It expires no more."""
    results = [await waits_long.apply_async((word,), expires=86_400) for word in "ab"]

    await jobs_clock.advance(minutes=32)
    records = [await _record(worker, result) for result in results]
    assert started == ["a", "b"] or started[:2] == ["a", "a"]
    assert not await worker.pool.scard(worker.pool.key.HOLDERS + "durable.waits_long")
    assert all(b"expires" not in record for record in records)
    await jobs_clock.advance(hours=1)

    assert [await result.get(timeout=5) for result in results] == ["last a", "last b"]
    assert set(done.values()) == {1}


async def test_a_job_that_sleeps_is_started_and_uses_no_attempt(worker: Worker, jobs_clock: Clock) -> None:
    result = await approval.delay()
    await jobs_clock.advance()
    assert await result.state() == "STARTED"
    assert not worker.engine.held
    record = await _record(worker, result)
    assert record[b"attempts"] == b"0"
    assert await worker.pool.zscore(worker.pool.key.AWAITING, result.id)

    await result.send_event("approval", {"by": "ann"})

    assert await result.get(timeout=5) == [{"by": "ann"}, 1, 0]
    assert not await worker.pool.exists(worker.pool.key.AWAITING)


async def test_the_nth_wait_takes_the_nth_event_sent_before_or_after(worker: Worker, jobs_clock: Clock) -> None:
    result = await tasks.waits.apply_async((3,), countdown=60)
    await result.send_event("word", 1)
    await result.send_event("other", 0)
    await jobs_clock.advance(minutes=2)
    for n in (2, 3):
        await result.send_event("word", n)

    assert await result.get(timeout=5) == [1, 2, 3]


async def test_an_event_or_the_time_out_never_both(worker: Worker, jobs_clock: Clock) -> None:
    early, late = await tasks.times_out.delay(), await tasks.times_out.delay()
    await jobs_clock.advance(seconds=30)
    await early.send_event("word", "in time")
    await jobs_clock.advance(minutes=2)

    assert await early.get(timeout=5) == "in time"
    assert isinstance(await late.get(timeout=5, propagate=False), TimeoutError)
    with pytest.raises(EventRefused, match="it is FAILURE"):
        await late.send_event("word", "too late")
    with pytest.raises(EventRefused, match="it is UNKNOWN"):
        await Result("nobody").send_event("word")


async def test_a_time_out_is_waited_for_again_after_an_operators_retry(worker: Worker, jobs_clock: Clock) -> None:
    result = await tasks.times_out.delay()
    await jobs_clock.advance(minutes=2)

    assert await result.retry_failed()
    await jobs_clock.advance()
    await result.send_event("word", "now")

    assert await result.get(timeout=5) == "now"


async def test_an_operators_retry_keeps_what_succeeded(worker: Worker, jobs_clock: Clock) -> None:
    result = await tasks.calls_failing.apply_async((7,))
    await jobs_clock.advance(minutes=1)
    assert isinstance(await result.get(timeout=5, propagate=False), tasks.Declined)
    assert done == {"failing child": 6}

    assert await result.retry_failed()
    await jobs_clock.advance(minutes=1)

    assert await result.get(timeout=5) == 8
    assert not await result.retry_failed()


@task(name="durable.one_at_a_time", bind=True, unique=Unique("word"))
async def one_at_a_time(self: CurrentJob, word: str) -> str:
    await self.step("first", note, f"first {word}")
    return str(await self.wait_for_event("word", timeout=60))


async def test_a_retry_needs_the_key_of_a_unique_job_again(worker: Worker, jobs_clock: Clock) -> None:
    first = await one_at_a_time.delay("x")
    await jobs_clock.advance(minutes=2)
    second = await one_at_a_time.delay("x")
    await jobs_clock.advance()
    with pytest.raises(NotRetried, match=f"job {second.id} has the key"):
        await first.retry_failed()
    await second.send_event("word", "second")
    assert await second.get(timeout=5) == "second"

    assert await first.retry_failed()
    third = await one_at_a_time.delay("x")
    assert third.id == first.id
    await jobs_clock.advance()
    await first.send_event("word", "first")
    assert await first.get(timeout=5) == "first"
    assert done["first x"] == 2


async def test_a_revoke_ends_a_suspended_job_and_its_waiting_children(worker: Worker, jobs_clock: Clock) -> None:
    result, parent = await approval.delay(), await runs_later.delay()
    await jobs_clock.advance()

    for one in (result, parent):
        assert await one.revoke() == "PENDING"
        assert isinstance(await one.get(timeout=5, propagate=False), TaskRevoked)
    await jobs_clock.advance(days=2)

    assert not await worker.pool.exists(worker.pool.key.AWAITING)
    assert await Result(f"{parent.id}::run:durable.child").state() in ("REVOKED", "UNKNOWN")
    assert not done


@task(name="durable.runs_later", bind=True)
async def runs_later(self: CurrentJob) -> Any:
    return await self.run(child.signature(("late",), countdown=86_400))


async def test_a_suspension_that_code_swallows(worker: Worker, jobs_clock: Clock) -> None:
    result = await swallows.delay()
    await jobs_clock.advance(minutes=2)

    assert await result.get(timeout=5) == "kept"
    assert not done


async def test_a_leaf_of_a_chain_sleeps_and_another_waits_for_a_person(worker: Worker, jobs_clock: Clock) -> None:
    result = await chain(tasks.limited.si(3600), wait_for_event.si("approval"), child.s()).delay()
    await jobs_clock.advance(hours=2)
    assert done == {"first": 1, "last": 1}

    with pytest.raises(EventRefused, match="it is STARTED, and its members wait for 'approval'"):
        await result.send_event("aproval", "yes")
    assert await result.send_event("approval", "yes")
    await jobs_clock.advance()

    assert await result.get(timeout=5) == "yes"
    assert done["child yes"] == 1


@task(name="durable.fails_once", bind=True)
async def fails_once(self: CurrentJob, word: str = "") -> str:
    await self.step("first", note, "first")
    return await self.step("flaky", tasks.flaky, 1) and "done"  # type: ignore[return-value]


async def test_a_member_of_a_workflow_keeps_what_succeeded_when_that_is_retried(
    worker: Worker, jobs_clock: Clock
) -> None:
    result = await chain(child.s("begin"), fails_once.s(), child.s()).delay()
    await jobs_clock.advance()
    assert isinstance(await result.get(timeout=5, propagate=False), OSError)

    assert await result.retry_failed()

    assert await result.get(timeout=5) == "done"
    assert done == {"child begin": 1, "first": 1, "flaky": 2, "child done": 1}


async def test_many_are_retried_under_their_own_ids(worker: Worker, jobs_clock: Clock) -> None:
    result = await fails_once.delay()
    await jobs_clock.advance()
    assert isinstance(await result.get(timeout=5, propagate=False), OSError)

    made = await monitor_site.plan(worker.pool, "retry", [result.id])
    await monitor_site.start(worker.pool, made, "ann")
    await jobs_clock.advance()

    assert await result.get(timeout=5) == "done"
    assert done == {"first": 1, "flaky": 2}


async def test_two_of_one_name_at_the_same_time_need_keys(worker: Worker) -> None:
    error = await (await same_name.delay()).get(timeout=5, propagate=False)
    assert "give each a key=" in str(error)


async def test_a_wait_without_end_is_due_at_the_end_of_time(worker: Worker, jobs_clock: Clock) -> None:
    result = await approval.delay()
    await jobs_clock.advance(days=30)
    assert await worker.pool.zscore(worker.pool.key.QUEUE, result.id) == LAST_MS
    await result.send_event("approval")
    assert await result.get(timeout=5) == [None, 1, 0]


async def _record(worker: Worker, result: Result) -> dict[bytes, bytes]:
    return await worker.pool.hgetall(worker.pool.key.RECORD + result.id)  # type: ignore[no-any-return, misc]


async def test_the_events_of_a_job_have_a_limit_of_bytes(worker: Worker) -> None:
    result = await approval.apply_async(countdown=3600)
    key, value = worker.pool.key, "x" * 200_000
    await result.send_event("approval", value)
    size = int(await worker.pool.hget(key.RECORD + result.id, "events"))  # type: ignore[misc, arg-type]
    [entry] = await worker.pool.hvals(key.JOURNAL + result.id)  # type: ignore[misc]
    assert size == len(entry) > len(value)

    await worker.pool.hset(key.RECORD + result.id, "events", EVENTS_BYTES - size)  # type: ignore[misc]
    await result.send_event("another", value)
    with pytest.raises(EventRefused, match="take 16 MB"):
        await result.send_event("approval", 1)
    assert await worker.pool.hlen(key.JOURNAL + result.id) == 2  # type: ignore[misc]
    words = result.id, "event:approval#", entry
    assert await worker.pool.run_script("send_event", *words) == [1, 0]  # sent again it has its place, however full
