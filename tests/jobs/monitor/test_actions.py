"""What operators do through the monitor, also many at once and under load."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from jobs import Result, group, monitor, monitor_site
from jobs.client.connection import JobsRedis
from jobs.errors import QuarqError
from jobs.monitor import NotRetried
from jobs.store.keys import Keys
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks
from tests.waiting import wait_until


async def test_a_hundred_retries_at_once_run_it_once(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    result = await tasks.fail.delay("again")
    await reach(result, "FAILURE")
    await connection.sadd(Keys.PAUSED, "default")  # the new run stays waiting while all ask

    async def click() -> str:
        new = await monitor.retry(connection, result.id)
        await monitor.note(connection, "owner", "retry", result.id, f"runs as {new}")
        return new

    ids = await asyncio.gather(*(click() for _ in range(100)))

    assert set(ids) == {f"{result.id}~2"}
    assert await connection.zcard(Keys.QUEUE) == 1
    rows = (await monitor.audit(connection, limit=1000)).rows
    assert len(rows) == 100
    assert {row.result for row in rows} == {f"runs as {result.id}~2"}
    await monitor.resume(connection, "default")


async def test_a_job_and_its_reruns_are_found_from_any_of_them(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    first = await tasks.fail.apply_async(("again",), task_id="order~x")
    await reach(first, "FAILURE")
    second = Result(await monitor.retry(connection, first.id))
    await reach(second, "FAILURE")
    third = await monitor.retry(connection, second.id)
    await reach(Result(third), "FAILURE")

    for job_id in (first.id, second.id, third):
        found = await monitor_site.reruns_of(connection, job_id)
        assert [row.id for row in found] == ["order~x", "order~x~2", "order~x~3"]
    assert {row.state for row in found} == {"FAILURE"}
    assert await monitor_site.reruns_of(connection, "nobody~2") == []
    for job_id in ("order~x", "~2", "a~1", "a~0", "a~٣", "a~-2", "a~2b", "a~" + "9" * 5000, "a~"):
        assert monitor_site.original_of(job_id) == job_id


async def test_a_queue_is_purged_in_steps_however_long(connection: JobsRedis) -> None:
    results = await tasks.log.apply_many([(n,) for n in range(1200)])
    later = await tasks.log.apply_async((0,), countdown=60)
    flow = await group(tasks.log.s(1)).delay()
    steps = monitor.purge_queue(connection, "default")

    assert await anext(steps) == 500
    since = await tasks.log.delay("since it began")
    await steps.aclose()
    assert await connection.zcard(Keys.QUEUE) == 703
    await connection.set(Keys.CLOCK, 60_000)
    assert [n async for n in monitor.purge_queue(connection, "default")] == [500, 202]

    assert {await result.state() for result in (results[0], results[-1], since, later)} == {"REVOKED"}
    assert await flow.state() == "PENDING"
    assert [n async for n in monitor.purge_queue(connection, "default", scheduled=True)] == [1]
    assert await flow.state() == "REVOKED"


async def test_what_comes_while_a_queue_is_purged_stays(connection: JobsRedis) -> None:
    await tasks.log.apply_many([(n,) for n in range(600)])
    steps = monitor.purge_queue(connection, "default")
    assert await anext(steps) == 500
    await connection.set(Keys.CLOCK, 5)
    since = await tasks.log.delay("since it began")

    assert [n async for n in steps] == [100]

    assert await since.state() == "PENDING"


async def test_a_purge_ends_what_was_counted_and_nothing_newer(connection: JobsRedis) -> None:
    due, later = await tasks.log.delay("due"), await tasks.log.apply_async(("later",), countdown=60)
    counted = await monitor.purgeable(connection, ["default"])
    await connection.set(Keys.CLOCK, 10)
    newer = [await tasks.log.delay("newer"), await tasks.log.apply_async(("newer",), countdown=60)]

    ended = [n async for n in monitor.purge_queue(connection, "default", scheduled=True, counted=counted)]

    assert (counted.due, counted.scheduled, ended) == (1, 1, [2])
    assert [await result.state() for result in (due, later)] == ["REVOKED", "REVOKED"]
    assert [await result.state() for result in newer] == ["PENDING", "PENDING"]


async def test_a_purge_while_four_workers_run_removes_nothing_that_runs(
    connection: JobsRedis, start_online: StartOnline
) -> None:
    for _ in range(4):
        await start_online(MAX_JOBS="5")
    results = await tasks.nap.apply_many([(0.3,) for _ in range(400)])

    async def runs() -> bool:
        return (await monitor_site.overview(connection)).queues.running >= 20

    await wait_until(runs, "all slots to be busy")
    found = await monitor.purgeable(connection, ["default"])
    purged = sum([n async for n in monitor.purge_queue(connection, "default", counted=found)])

    states = []
    for result in results:
        await result.get(timeout=20, propagate=False)
        states.append(await result.state())
    assert set(states) == {"SUCCESS", "REVOKED"}
    assert states.count("REVOKED") == purged > 200
    records = [await result.info() for result in results]
    assert {len(info.history) for info in records if info.state == "REVOKED"} == {0}  # none had started


async def test_the_other_actions(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    result = await tasks.log.apply_async(("x",), countdown=60)
    soon = datetime.now(UTC) + timedelta(hours=2)

    assert await monitor.reschedule(connection, result.id, soon)
    job = await monitor_site.job(connection, result.id)
    assert job
    assert job.row
    assert job.row.due
    assert abs(job.row.due - soon) < timedelta(seconds=1)
    assert await monitor.revoke(connection, result.id) == "PENDING"
    assert not await monitor.reschedule(connection, result.id, soon)
    with pytest.raises(NotRetried):
        await monitor.retry(connection, "nobody")
    with pytest.raises(QuarqError):
        await monitor.run_schedule(connection, "nobody")
    with pytest.raises(QuarqError):
        await monitor.set_rate_limit(connection, "tests.log", "often")
    await start_online()
    runs = await tasks.nap.delay(30)
    await reach(runs, "STARTED")
    assert await monitor.revoke(connection, runs.id, terminate=True) == "STARTED"
    await reach(runs, "REVOKED")
    [worker] = await monitor.workers(connection)
    assert await monitor.quiet(connection, worker.name)
    assert await monitor.shutdown(connection, worker.name)
    assert not await monitor.quiet(connection, "nobody")

    async def gone() -> bool:
        return await monitor.workers(connection) == []

    await wait_until(gone, "the worker to end")
