"""Every state a job can be in has one word, wherever one looks; and what is counted is what is listed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from jobs import Result, group, monitor, send_task, task
from jobs.client.connection import JobsRedis
from jobs.monitor import find, queues, why
from jobs.monitor_site import job, overview
from jobs.monitor_site.job_count import count
from jobs.monitor_site.model.wanted import Wanted
from jobs.store.keys import Keys
from jobs.worker import orchestrator
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.registered_tasks import forget
from tests.waiting import wait_until

STATES = {  # a job of the scene: the code of why it does not run, and the list that has it
    "running": ("running", "running"),
    "lost with its worker": ("suspect", "running"),
    "told to stop": ("stopping", "running"),
    "a parked workflow": ("children", "scheduled"),
    "due later": ("due", "scheduled"),
    "its retry later": ("due", "scheduled"),
    "over the rate limit": ("rate-limit", "scheduled"),
    "over the concurrency limit": ("concurrency-limit", "scheduled"),
    "of an unknown task": ("unknown-task", "scheduled"),
    "its queue is paused": ("paused", "waiting"),
    "nobody serves its queue": ("no-worker", "waiting"),
    "expired": ("expired", "waiting"),
    "all slots are busy": ("busy", "waiting"),
    "a stock worker has it": ("running", "waiting"),
    "succeeded": ("ended", "SUCCESS"),
    "failed": ("ended", "FAILURE"),
    "revoked": ("ended", "REVOKED"),
}
Scene = dict[str, Result[Any]]


@pytest.fixture
async def scene(
    connection: JobsRedis,
    start_online: StartOnline,
    start_worker: StartWorker,
    reach: Reach,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Scene]:
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.05)
    over = asyncio.Event()

    @task(name="truth.deaf", queue="live")
    async def deaf() -> None:
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    found: Scene = {}
    dies = await start_online(LEASE="0.5", LEASE_RENEWAL="0.1")
    found["lost with its worker"] = await tasks.nap.delay(60)
    await reach(found["lost with its worker"], "STARTED")
    dies.process.kill()
    await start_worker(tasks=[*tasks.ALL, deaf], queues=["live", "calm"], lease_renewal=0.1)
    await start_worker(queues=["full"], lease_renewal=0.1, max_jobs=1)
    try:
        await _call_all(connection, found, reach)
        found["told to stop"] = await deaf.delay()
        await reach(found["told to stop"], "STARTED")
        await found["told to stop"].revoke(terminate=True)
        await wait_until(lambda: _settled(connection, found), "every job to be where it stays", timeout_s=8)
        yield found
    finally:
        over.set()
        forget("truth.deaf")
        await connection.delete(Keys.PAUSED, Keys.LIMITS, f"{Keys.JOB}stock", f"{Keys.IN_PROGRESS}stock")
        await connection.zrem(f"{Keys.QUEUE}:nobodys", "stock")


async def _call_all(connection: JobsRedis, found: Scene, reach: Reach) -> None:
    async def call(which: Any, *args: Any, queue: str = "live", **options: Any) -> Result[Any]:
        return await which.apply_async(args, queue=queue, **options)

    await connection.declare_limits("tests.wait_until_there", None, 1)
    await connection.declare_limits("tests.multiply", "1/h", None)
    found["running"] = await call(tasks.wait_until_there, "/never")
    await reach(found["running"], "STARTED")
    found["a parked workflow"] = await group(tasks.nap.s(1).set(countdown=3600)).apply_async(queue="live")
    found["due later"] = await call(tasks.nap, 1, countdown=3600)
    found["its retry later"] = await call(tasks.patient)
    found["over the concurrency limit"] = await call(tasks.wait_until_there, "/never")
    found["succeeded"] = await call(tasks.multiply, 1, 2)
    await reach(found["succeeded"], "SUCCESS")
    found["over the rate limit"] = await call(tasks.multiply, 1, 2)
    found["of an unknown task"] = await send_task("truth.nobody_knows", queue="live")
    await monitor.noted(connection, "ann", "pause queue", "calm", lambda: monitor.pause(connection, "calm"))
    found["its queue is paused"] = await call(tasks.nap, 1, queue="calm")
    found["nobody serves its queue"] = await call(tasks.nap, 1, queue="nobodys")
    found["expired"] = await call(tasks.nap, 1, queue="nobodys", expires=0.001)
    await reach(await call(tasks.nap, 60, queue="full"), "STARTED")
    found["all slots are busy"] = await call(tasks.nap, 1, queue="full")
    found["failed"] = await call(tasks.fail)
    found["revoked"] = await call(tasks.nap, 1, countdown=3600)
    await found["revoked"].revoke()
    await connection.set(f"{Keys.JOB}stock", connection.dumps({"t": None, "f": "tests.log", "a": [], "k": {}, "et": 1}))
    await connection.set(f"{Keys.IN_PROGRESS}stock", 1, px=60_000)
    await connection.zadd(f"{Keys.QUEUE}:nobodys", {"stock": 1})
    found["a stock worker has it"] = Result("stock", connection)


async def _settled(connection: JobsRedis, found: Scene) -> bool:
    told = {name: (await why(connection, result.id))[0].code for name, result in found.items()}
    is_parked = await connection.hexists(Keys.RECORD + found["a parked workflow"].id, "parked")  # type: ignore[misc]
    return bool(is_parked) and told == {name: code for name, (code, _) in STATES.items()}


async def test_a_state_has_one_word_and_what_is_counted_is_listed(scene: Scene, connection: JobsRedis) -> None:
    await _words_agree(scene, connection)
    now = await overview(connection)
    lists = {state: {row.id for row in (await find(connection, state=state)).rows} for state in ("running", "waiting")}
    lists["scheduled"] = {row.id for row in (await find(connection, state="scheduled", limit=1_000)).rows}
    limited = {scene[name].id for name, (code, _) in STATES.items() if code.endswith("-limit")}
    assert {row.id for row in (await find(connection, state="held")).rows} == limited <= lists["scheduled"]
    assert (await count(connection, Wanted(now.since, ["held"])))[0] == now.held == len(limited) == 2
    assert (await count(connection, Wanted(now.since, ["held", "scheduled"])))[0] == len(lists["scheduled"])
    for name, (_, listed) in STATES.items():
        for state, ids in lists.items():
            assert (scene[name].id in ids) == (state == listed), f"{name} in {state}"
    counted = {"running": now.queues.running, "waiting": now.queues.due, "scheduled": now.queues.scheduled}
    assert counted == {state: len(ids) for state, ids in lists.items()}
    for row in now.rows:
        for state, n in (("running", row.running), ("waiting", row.due), ("scheduled", row.scheduled)):
            assert len((await find(connection, state=state, queue=row.name)).rows) == n, (row, state)
    at_rest = [replace(row, oldest_due_s=0) for row in await queues(connection)]
    assert [replace(row, oldest_due_s=0) for row in now.rows] == at_rest
    assert now.minutes[-1].due == now.queues.due
    assert now.queues.lapsed == 1
    for state in ("SUCCESS", "FAILURE", "REVOKED"):
        found = await find(connection, state=state, since=now.since)
        assert now.last_hour.states[state] == len(found.rows) >= 1


async def _words_agree(scene: Scene, connection: JobsRedis) -> None:
    for name, (code, _) in STATES.items():
        job_id = scene[name].id
        [exact] = (await find(connection, text=job_id)).rows
        state, queue = exact.state, exact.queue
        listed = {row.id: row for row in (await find(connection, state=state, queue=queue, limit=1_000)).rows}
        assert {exact.reason, listed[job_id].reason} == {code}, name
        detail = await job(connection, job_id)
        assert detail
        reasons = [reason.code for reason in detail.reasons][:1]
        assert reasons == ([] if code in ("running", "children", "ended") and queue else [code]), name


async def test_red_flags_name_the_number_the_queue_and_the_task(scene: Scene, connection: JobsRedis) -> None:
    now = await overview(connection)

    assert [(row.name, row.due, row.lapsed, dict(row.tasks)) for row in now.unserved] == [
        ("default", 0, 1, {}),
        ("nobodys", 3, 0, {"tests.nap": 2}),
    ]
    assert [(one.queue, one.task, one.count, one.is_all) for one in now.unknown] == [
        ("live", "truth.nobody_knows", 1, True)
    ]
    assert [(name, by and by.who) for name, by in now.paused.items()] == [("calm", "ann")]
    [reason] = await why(connection, scene["its queue is paused"].id)
    assert reason.text.startswith("queue 'calm' is paused, by ann since 2")


async def test_sums_agree_while_jobs_flow(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(queues=["default", "other"], lease_renewal=0.05)

    async def flow() -> None:
        for n in range(60):
            await tasks.log.apply_many([(n,)] * 20)
            await tasks.fail.apply_async(queue="other")
            await asyncio.sleep(0)

    flowing = asyncio.create_task(flow())
    while not flowing.done():
        now = await overview(connection)
        for name in ("due", "scheduled", "running", "lapsed"):
            assert getattr(now.queues, name) == sum(getattr(row, name) for row in now.rows)
        assert now.minutes[-1].due == now.queues.due
        ended = sum((minute.count.states for minute in now.minutes), Counter[str]())
        assert now.last_hour.states == ended
    await flowing

    async def idle() -> bool:
        return (await overview(connection)).queues.size == 0

    await wait_until(idle, "all to have ended")
    now = await overview(connection)
    failed = (await find(connection, state="FAILURE", since=now.since, limit=1_000)).rows
    assert len(failed) == now.last_hour.states["FAILURE"] == 60
    assert now.last_hour.states["SUCCESS"] == 1_200
