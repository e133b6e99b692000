"""Workers, tasks, queues, schedules and the broker, as lists."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import arq

from jobs import crontab, every, monitor, send_task
from jobs.client.connection import JobsRedis
from jobs.monitor import QueueInfo, broker, find, queues, queues_named, running, schedules, waiting, workers
from jobs.monitor_site import overview, tasks
from jobs.monitor_site.model.queue_list import MAX_LISTED
from jobs.store.keys import Keys
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks as some
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


async def test_workers_and_what_they_run(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    process = (await start_online(MAX_JOBS="3")).process
    naps = []
    for seconds in (31, 30):
        naps.append(await some.nap.delay(seconds))
        await reach(naps[-1], "STARTED")
        await asyncio.sleep(0.002)  # times are whole milliseconds: two jobs of the same one have no order

    [worker] = await workers(connection)
    assert (worker.pid, worker.arq, worker.max_jobs) == (process.pid, arq.VERSION, 3)
    assert 10 < worker.memory_mb < 500
    assert timedelta(0) < datetime.now(UTC) - worker.started < timedelta(minutes=1)
    assert [row.id for row in await running(connection, worker.name)] == [result.id for result in naps]
    assert [row.args for row in await running(connection, worker.name)] == ["31", "30"]
    assert await running(connection, "nobody") == []


async def test_a_job_whose_task_no_worker_knows_is_held_by_no_limit(
    connection: JobsRedis, start_online: StartOnline
) -> None:
    await start_online()
    result = await send_task("tests.nobody_knows")

    async def row() -> Any:
        found = (await find(connection, state="PENDING")).rows
        return found and found[0].reason == "unknown-task" and found[0]

    found = await wait_until(row, "it to be put back")
    assert (found.id, found.hold) == (result.id, "")
    [waits] = [job async for job in waiting(connection, "default", "all")]
    assert waits.hold == ""


async def test_tasks(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await monitor.set_rate_limit(connection, "tests.multiply", "10/m")
    await start_online()
    await connection.declare_limits("tests.nap", "5/s", 2)
    await (await some.log.delay("x")).get(timeout=10)
    for _ in range(3):
        await reach(await some.fail.delay(), "FAILURE")

    found = {task.name: task for task in await tasks(connection)}

    assert found["tests.fail"].count.states == {"FAILURE": 3}
    assert (found["tests.fail"].count.failure_share, found["tests.log"].count.failure_share) == (1, 0)
    assert found["tests.nap"].count.failure_share is None
    assert (found["tests.log"].workers, found["tests.log"].queue, found["tests.log"].rate_limit) == (1, "default", "")
    assert (found["tests.multiply"].rate_limit, found["tests.multiply"].overridden) == ("10/m", True)
    nap = found["tests.nap"]
    assert (nap.rate_limit, nap.overridden, nap.max_concurrency) == ("5/s", False, 2)
    assert found["tests.fail"].count.percentile("run", 50) is not None
    await connection.delete(Keys.LIMITS)


async def test_queues(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await some.log.apply_async((1,), queue="mail")
    await some.log.apply_async((1,), queue="mail", countdown=60)
    await (await some.log.apply_async((1,), queue="gone")).revoke()
    await connection.sadd(Keys.PAUSED, "still")
    await start_online()
    await reach(await some.nap.delay(30), "STARTED")

    found = {queue.name: queue for queue in await queues(connection)}

    assert set(found) == {"default", "mail", "still"}
    assert (found["still"].due, found["still"].paused) == (0, True)
    assert (found["mail"].due, found["mail"].scheduled, found["mail"].running) == (1, 1, 0)
    assert (found["mail"].workers, found["mail"].paused) == ((), False)
    assert found["mail"].oldest_due_s > 0
    assert (found["default"].due, found["default"].scheduled, found["default"].running) == (0, 0, 1)
    assert found["default"].oldest_due_s == 0
    assert len(found["default"].workers) == 1
    assert await queues_named(connection, ["mail", "gone", "mail"]) == [
        replace(found["mail"], oldest_due_s=ANY),
        QueueInfo("gone", 0, 0, 0, 0.0, False, ()),
    ]
    await connection.delete(Keys.PAUSED)


async def test_queues_whose_names_are_made_up_are_summed(connection: JobsRedis) -> None:
    for n in range(MAX_LISTED + 30):
        for _ in range(1 + (n < 5)):
            await some.log.apply_async((1,), queue=f"q-{n:03}")

    found = await queues(connection)

    assert len(found) == MAX_LISTED + 1
    assert [queue.name for queue in found[:6]] == [f"q-{n:03}" for n in range(6)]
    assert [queue.due for queue in found[:6]] == [2, 2, 2, 2, 2, 1]
    rest = found[-1]
    assert (rest.name, rest.others, rest.due, rest.scheduled, rest.running) == ("", 30, 30, 0, 0)
    assert rest.oldest_due_s > 0
    assert (await overview(connection)).queues.due == MAX_LISTED + 35


async def test_names_of_queues_that_hold_nothing_are_forgotten(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    made_up = [await some.log.apply_async((1,), queue=f"q-{n}") for n in range(120)]
    for result in made_up[:-1]:
        await result.revoke()
    assert await connection.scard(Keys.QUEUES) == 120  # type: ignore[misc]
    await start_worker(lease_renewal=0.05)

    async def forgotten() -> bool:
        return set(await connection.smembers(Keys.QUEUES)) == {b"default", b"q-119"}  # type: ignore[misc]

    await wait_until(forgotten, "the names to be forgotten")
    assert await connection.zrange(Keys.SERVED, 0, -1) == [b"default"]


async def test_schedules_tell_their_next_five_moments(connection: JobsRedis, start_worker: StartWorker) -> None:
    berlin = crontab(
        "tests.log", name="berlin", args=("x",), minute=0, hour=10, day_of_week=6, timezone="Europe/Berlin"
    )
    await start_worker(cron_jobs=[every("tests.log", timedelta(days=1), name="daily", args=("x",)), berlin])

    async def declared() -> bool:
        return len(await schedules(connection)) == 2

    await wait_until(declared, "the worker to declare its schedules")
    weekly, daily = await schedules(connection)
    assert list(weekly.coming) == sorted(set(weekly.coming))
    assert len(weekly.coming) == len(daily.coming) == 5
    assert weekly.coming[0] == weekly.next_run
    assert {moment.isoweekday() for moment in weekly.coming} == {6}
    assert {moment.hour for moment in weekly.coming} <= {8, 9}
    assert daily.coming[4] - daily.coming[0] == timedelta(days=4)
    await connection.set(Keys.CLOCK, int(timedelta(days=2).total_seconds() * 1000))
    assert [len(schedule.coming) for schedule in await schedules(connection)][1] == 3


async def test_the_broker(connection: JobsRedis) -> None:
    good = await broker(connection)
    assert (good.info["maxmemory_policy"], good.persistence, good.warnings) == ("noeviction", "AOF", [])
    assert good.info["used_memory"] > 0
    assert good.info["connected_clients"] > 0
    before = await connection.config_get("appendonly", "maxmemory", "maxmemory-policy")

    async def written() -> bool:
        told = await connection.info("persistence")
        return not (told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"])

    try:
        await connection.config_set(
            "appendonly", "no", "maxmemory", str(good.info["used_memory"]), "maxmemory-policy", "allkeys-lru"
        )
        bad = await broker(connection)
    finally:
        for name, value in before.items():
            await connection.config_set(name, value)
        await wait_until(written, "the journal to be written anew: before that, the server does not stop")

    assert (bad.info["maxmemory_policy"], bad.persistence) == ("allkeys-lru", "none")
    assert [word for word in ("allkeys-lru", "appendonly yes", "memory limit") if word in " ".join(bad.warnings)] == [
        "allkeys-lru", "appendonly yes", "memory limit",
    ]  # fmt: skip
