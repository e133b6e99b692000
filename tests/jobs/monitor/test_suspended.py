"""Jobs that wait without a worker, as searches find them and as people answer them."""

from __future__ import annotations

import msgpack
import pytest

from jobs import CurrentJob, NotRetried, monitor, task
from jobs.monitor_site.job_count import count
from jobs.monitor_site.query import parse
from jobs.store.store import now
from jobs.testing import Clock, Workers
from jobs.worker import Worker


@task(name="durable.asleep", bind=True)
async def asleep(self: CurrentJob) -> None:
    await self.sleep(1e6)


@task(name="durable.long", bind=True)
async def long(self: CurrentJob, kind: str) -> None:
    if kind == "child":
        await self.run(asleep.s())
    await (self.sleep(3600) if kind == "sleep" else self.wait_for_event("go"))


@pytest.mark.parametrize("kind", ["sleep", "event", "child"])
async def test_each_search_finds_a_job_that_waits(jobs_worker: Workers, jobs_clock: Clock, kind: str) -> None:
    async with jobs_worker(tasks=[asleep, long]) as worker:
        result = await long.apply_async((kind,), task_id="order:9~2")
        await jobs_clock.advance()
        [[row]] = [(await find_rows(worker, f"{result.id}"))]
        queries = "task:durable.long", "order:9~2 task:durable.long", "order:9~2 since:1h", f"state:{row.state}"
        for query in (*queries, "state:suspended", "state:scheduled task:durable.long", "queue:default 9~2", kind):
            assert [one.id for one in await find_rows(worker, query) if one.task == long.name] == [result.id], query
            assert (await count(worker.pool, parse(query).wanted(jobs_clock.now())))[0] >= 1
        assert not [one for one in await find_rows(worker, "state:running") if one.id == result.id]
        await result.revoke()
        assert not await find_rows(worker, "state:suspended task:durable.long")


async def find_rows(worker: Worker, query: str) -> list[monitor.JobRow]:
    return (await monitor.find(worker.pool, parse(query).wanted(await now(worker.pool)))).rows


async def test_a_job_that_has_not_ended_is_not_run_again_from_a_step(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=[asleep]) as worker:
        result = await asleep.delay()
        await jobs_clock.advance()
        with pytest.raises(NotRetried, match="has not ended: both would go on"):
            await monitor.run_from(worker.pool, result.id, "sleep:sleep")
        await result.revoke()
        assert await monitor.run_from(worker.pool, result.id, "sleep:sleep") == f"{result.id}~2"


async def test_an_event_that_nothing_waits_for_is_kept_and_said(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=[long]) as worker:
        result, redis = await long.delay("event"), worker.pool
        await jobs_clock.advance()
        kept = await monitor.send_event(redis, result.id, "goo", {"password": "hunter2"}, "ann", "as agreed")
        assert kept == (
            f"job {result.id} does not wait for 'goo': it waits for 'go'. The event is kept for a wait of that name"
        )
        await jobs_clock.advance()
        [wait, event] = await monitor.steps(redis, result.id)
        assert (wait.field, wait.state) == ("event:go#1", "waiting")
        assert (event.field, event.state, event.by, event.note) == ("event:goo#1", "unclaimed", "ann", "as agreed")
        assert event.value == "{'password': '***'}"
        [reason] = await monitor.why(redis, result.id)
        assert reason.text.startswith("it waits for the event go since ")
        assert reason.text.endswith("; the event goo was sent, and nothing has waited for it")
        assert await result.send_event("goo") is False
        assert await result.send_event("go") is True
        await result.get(timeout=5)


async def test_the_waits_of_a_job_that_was_revoked_are_given_up(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=[long]) as worker:
        result = await long.delay("event")
        await jobs_clock.advance()
        await result.revoke()
        assert [one.state for one in await monitor.steps(worker.pool, result.id)] == ["given-up"]
        await result.retry_failed()
        assert [one.state for one in await monitor.steps(worker.pool, result.id)] == ["waiting"]


async def test_a_job_that_waited_and_was_revoked_has_no_reason_of_an_attempt_before(
    jobs_worker: Workers, jobs_clock: Clock
) -> None:
    async with jobs_worker(tasks=[asleep]) as worker:
        result, key = await asleep.delay(), worker.pool.key
        await jobs_clock.advance()
        lost = msgpack.packb([1, "w", 0, 1, "LOST", "its worker died or lost its lease"])
        await worker.pool.hset(key.RECORD + result.id, "log", lost)
        await result.revoke()
        [row] = await find_rows(worker, result.id)
        assert (row.state, row.error) == ("REVOKED", "")
