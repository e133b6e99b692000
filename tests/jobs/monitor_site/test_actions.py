"""Every action of the monitor: it does what it says, and leaves a line in the audit log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from quart import g

from jobs import JobsRedis, Result, Unique, Viewer, chord, monitor, monitor_site, task
from jobs.monitor_site.acting import act
from jobs.monitor_site.actions import of_queues
from jobs.monitor_site.application import Monitor
from jobs.monitor_site.web.messages import Message
from tests.app.visitor import Visitor, words
from tests.jobs.monitor_site.shop import create_user, echo, fail, flaky, limited, shop_worker, slow
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def worker(connection: JobsRedis, redis_url: str) -> AsyncIterator[str]:
    """The name of a worker that is online."""
    async with shop_worker(redis_url):

        async def name() -> str:
            found = await monitor.workers(connection)
            return found[0].name if found else ""

        yield await wait_until(name, "the worker to be online")


async def last_note(connection: JobsRedis) -> tuple[str, str, str]:
    """Who did what to which, in the newest line of the audit log."""
    entry = (await monitor.audit(connection, limit=1)).rows[0]
    return entry.who, entry.what, entry.target


async def test_a_failed_job_runs_again(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    job = await fail.delay("no luck")
    await job.get(propagate=False, timeout=10)

    response = await owner.post("/monitor/job/retry", page=f"/monitor/job?id={job.id}", id=job.id)

    again = parse_qs(urlsplit(response.location or "").query)["id"][0]
    assert again == f"{job.id}~2"
    await Result(again, connection).get(propagate=False, timeout=10)
    assert await last_note(connection) == ("owner", "retry", job.id)
    await owner.get(response.location or "")
    assert owner.marks.notices == ["retried"]


@task(name="actions.once", unique=Unique("shop", "day"))
async def once(shop: str, day: str, note: str = "") -> None: ...


async def test_a_job_whose_key_is_taken_is_not_run_again(connection: JobsRedis, owner: Visitor) -> None:
    job = await once.apply_async(("berlin", "monday"), countdown=60)
    await once.delay("berlin", "monday", "again")
    await owner.get(f"/monitor/job?id={job.id}")
    said = "Each call of actions.once with the same shop and day is this job until it ends; 1 call was folded into this"
    assert said in words(owner)

    new, typed = f"{job.id}~2", {"argument-place-0": '"berlin"', "argument-place-1": '"monday"'}
    form = f"/monitor/job/edit?id={job.id}"
    response = await owner.post("/monitor/job/edit", page=form, id=job.id, new=new, **typed)
    await owner.get(response.location or "")

    assert owner.marks.notices == ["NotRetried"]
    assert f"job {job.id} has the key of this call" in words(owner)
    assert await Result(new, connection).state() == "UNKNOWN"


async def test_what_has_not_failed_is_not_run_again(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    job = await echo.delay("x")
    await job.get(timeout=10)

    response = await owner.post("/monitor/job/retry", page="/monitor/queues", id=job.id)

    await owner.get(response.location or "")
    assert owner.marks.notices == ["NotRetried"]
    assert (await monitor.audit(connection)).rows[0].what == "retry"


async def test_a_waiting_job_is_revoked(connection: JobsRedis, owner: Visitor) -> None:
    job = await echo.apply_async(("x",), countdown=100)

    response = await owner.post("/monitor/job/revoke", page=f"/monitor/job?id={job.id}", id=job.id)

    assert await job.state() == "REVOKED"
    await owner.get(response.location or "")
    assert owner.marks.notices == ["revoked"]
    assert await last_note(connection) == ("owner", "revoke", job.id)


async def test_a_running_job_is_stopped(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    job = await slow.delay(60)
    await wait_until(lambda: has(job, "STARTED"), "it to start")

    await owner.post("/monitor/job/revoke", page=f"/monitor/job?id={job.id}", id=job.id, terminate="1")

    await wait_until(lambda: has(job, "REVOKED"), "it to be stopped")
    assert await last_note(connection) == ("owner", "revoke and stop", job.id)


async def test_a_waiting_job_is_moved_in_the_reader_s_zone(connection: JobsRedis, owner: Visitor) -> None:
    """The owner of these tests is in Berlin."""
    job = await echo.apply_async(("x",), countdown=100)

    await owner.post("/monitor/job/reschedule", page=f"/monitor/job?id={job.id}", id=job.id, when="2030-07-01T10:30")

    due = (await job.info()).due
    assert due is not None
    assert due.isoformat() == "2030-07-01T08:30:00+00:00"
    assert await last_note(connection) == ("owner", "reschedule", job.id)
    await owner.post("/monitor/job/reschedule", page=f"/monitor/job?id={job.id}", id=job.id, when="soon")
    await owner.get(f"/monitor/job?id={job.id}")
    assert owner.marks.notices[-1] == "no-such-time"


async def test_a_queue_is_paused_and_resumed(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    await owner.post("/monitor/queue/pause", page="/monitor/queues", name="default")
    assert await last_note(connection) == ("owner", "pause queue", "default")
    job = await echo.delay("x")
    await owner.get(f"/monitor/job?id={job.id}")
    assert "is paused" in owner.text

    await owner.post("/monitor/queue/resume", page="/monitor/queues", name="default")

    assert await job.get(timeout=10) == "x"
    assert await last_note(connection) == ("owner", "resume queue", "default")


async def test_a_queue_is_emptied_once_its_name_is_typed(connection: JobsRedis, owner: Visitor) -> None:
    due, later = await echo.delay("x"), await echo.apply_async(("y",), countdown=100)
    page = "/monitor/queue/purge?name=default"

    response = await owner.post("/monitor/queue/purge", page=page, name="default", typed="defualt")
    assert response.status_code == 400
    assert owner.marks.errors == ["wrong-name"]
    assert [await due.state(), await later.state()] == ["PENDING", "PENDING"]

    response = await owner.post("/monitor/queue/purge", page=page, name="default", typed="default")
    assert [await due.state(), await later.state()] == ["REVOKED", "PENDING"]
    await owner.get(response.location or "")
    assert owner.marks.notices == ["purged"]
    assert (await monitor.queues_named(connection, ["default"]))[0].scheduled == 1

    await owner.post("/monitor/queue/purge", page=page, name="default", typed="default", scheduled="1")
    assert await later.state() == "REVOKED"
    assert await last_note(connection) == ("owner", "purge queue, scheduled jobs too", "default")


async def test_a_long_queue_is_emptied_press_by_press(
    connection: JobsRedis, owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_queues, "PURGE_S", 0)
    results = await echo.apply_many([(n,) for n in range(1100)])
    later = await echo.apply_async(("later",), countdown=100)
    page = "/monitor/queue/purge?name=default"

    pressed = {"name": "default", "typed": "default"}
    first = await owner.post("/monitor/queue/purge", page=page, **pressed)
    assert (first.status_code, await connection.zcard("arq:queue")) == (200, 601)
    assert owner.marks.counts == {"due": 600, "scheduled": 1, "ended": 500}
    while "data-goes-on" in owner.text:
        [ended] = re.findall(r'name="ended" value="(\d+)"', owner.text)
        response = await owner.post("/monitor/queue/purge", page=page, **pressed, ended=ended)

    await owner.get(response.location or "")
    assert "1,100" in owner.text
    assert {await results[n].state() for n in (0, 500, 1099)} == {"REVOKED"}
    assert await later.state() == "PENDING"
    assert len({row.target for row in (await monitor.audit(connection)).rows}) == 1


async def test_queues_whose_names_are_made_up_do_not_flood_the_page(owner: Visitor) -> None:
    for n in range(202):
        await echo.apply_async(("x",), queue=f"made-up-{n:03}")

    await owner.get("/monitor/queues")

    assert owner.text.count('data-key="queue-made-up-') == 200
    assert owner.marks.counts == {"other-queues": 2}
    await owner.get("/monitor/queue/purge?name=made-up-201")
    assert owner.marks.counts == {"due": 1, "scheduled": 0}


async def test_an_action_whose_browser_has_left_is_noted_too(app: Monitor, connection: JobsRedis) -> None:
    job, half_done = await echo.delay("x"), asyncio.Event()

    async def do() -> Message:
        await monitor.purge(connection, [job.id])
        half_done.set()
        await asyncio.Event().wait()  # the rest of a long queue
        return Message("never", "Never.")

    async with app.test_request_context("/queue/purge"):
        g.viewer = Viewer("owner", can_act=True)
        acting = asyncio.create_task(act("purge queue", "default", do, "/"))
        await asyncio.wait_for(half_done.wait(), 10)
        acting.cancel()
        with suppress(asyncio.CancelledError):
            await acting

    assert await job.state() == "REVOKED"
    assert await last_note(connection) == ("owner", "purge queue", "default")
    assert (await monitor.audit(connection)).rows[0].result.startswith("Begun.")


async def test_a_rate_limit_is_changed_for_all_workers(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    await owner.post("/monitor/task/rate", page="/monitor/task?name=shop.limited", name="shop.limited", rate="5/m")
    [task] = [task for task in await monitor_site.tasks(connection) if task.name == limited.name]
    assert task.rate_limit == "5/m"
    assert await last_note(connection) == ("owner", "change rate limit", "shop.limited")

    await owner.post("/monitor/task/rate", page="/monitor/task?name=shop.limited", name="shop.limited", rate="fast")
    await owner.get("/monitor/task?name=shop.limited")
    assert owner.marks.notices == ["SettingsMistake"]
    assert "fast" in owner.text


async def test_a_schedule_is_paused_resumed_and_run(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    async def schedule() -> monitor.ScheduleInfo:
        return (await monitor.schedules(connection))[0]

    await owner.post("/monitor/schedule/pause", page="/monitor/schedules", name="stock-taking")
    assert (await schedule()).paused
    await owner.post("/monitor/schedule/resume", page="/monitor/schedules", name="stock-taking")
    assert not (await schedule()).paused

    await owner.post("/monitor/schedule/run", page="/monitor/schedules", name="stock-taking")

    assert await Result((await schedule()).last_id, connection).get(timeout=10) == "stock"
    assert await last_note(connection) == ("owner", "run schedule", "stock-taking")
    await owner.post("/monitor/schedule/forget", page="/monitor/schedules", name="stock-taking")
    await owner.get("/monitor/schedules")
    assert owner.marks.notices[-1] == "in-use"
    assert "gone" not in owner.marks.states
    response = await owner.post("/monitor/schedule/run", page="/monitor/schedules", name="nobody's")
    await owner.get(response.location or "")
    assert owner.marks.notices == ["UnknownSchedule"]


async def test_a_schedule_that_no_worker_has_is_forgotten(connection: JobsRedis, owner: Visitor) -> None:
    await connection.sadd("jobs:schedules", "gone")
    about = {"task": "shop.echo", "when": "every 1:00:00", "queue": "default", "seen": 1_700_000_000_000}
    await connection.hset("jobs:schedule:gone", mapping=about)
    await owner.get("/monitor/schedules")
    assert "gone-since" in owner.marks.states

    response = await owner.post("/monitor/schedule/forget", page="/monitor/schedules", name="gone")

    await owner.get(response.location or "")
    assert owner.marks.notices == ["forgotten"]
    assert await monitor.schedules(connection) == []
    assert await last_note(connection) == ("owner", "forget schedule", "gone")


async def test_a_worker_is_quieted_and_stopped(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    page = f"/monitor/worker?name={worker}"
    await owner.post("/monitor/worker/quiet", page=page, name=worker)
    await wait_until(lambda: is_quiet(connection), "the worker to be quiet")
    assert await last_note(connection) == ("owner", "quiet worker", worker)

    await owner.post("/monitor/worker/stop", page=page, name=worker)
    await wait_until(lambda: nobody(connection), "the worker to stop")
    assert await last_note(connection) == ("owner", "stop worker", worker)

    response = await owner.post("/monitor/worker/stop", page=page, name=worker)
    await owner.get(response.location or "")
    assert owner.marks.notices[-1] == "not-listening"
    assert "offline" in owner.marks.states


async def test_a_workflow_goes_on_from_what_failed(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    workflow = await chord([echo.s(1), fail.s("no luck")], echo.s()).delay()
    await workflow.get(propagate=False, timeout=20)
    await owner.get(f"/monitor/workflow?id={workflow.id}")
    question = next(unescape(action) for action in owner.marks.actions if "what=retry" in action)
    await owner.get(question)
    assert owner.marks.counts == {"asked": 2}  # what failed, and what was to follow
    assert "/monitor/job/retry" in owner.marks.actions

    succeeded, failed = (Result(f"{workflow.id}:0.{n}", connection) for n in (0, 1))
    before = [(await member.info()).started for member in (succeeded, failed)]

    await owner.post("/monitor/job/retry", page=question, id=workflow.id)

    async def again() -> bool:
        with suppress(Exception):  # unknown for the moment between
            return (await failed.info()).started != before[1]
        return False

    await wait_until(again, "what failed to run again")
    assert (await succeeded.info()).started == before[0]


async def test_a_password_is_on_no_page(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    job = await create_user.apply_async(("John Doe", "hunter2"))
    waiting = await create_user.apply_async((), {"name": "Jane", "password": "hunter2"}, countdown=100)
    await job.get(timeout=10)

    for path in ("jobs", "jobs?q=state:scheduled", f"job?id={job.id}", f"job?id={waiting.id}"):
        assert (await owner.get(f"/monitor/{path}")).status_code == 200
        assert "hunter2" not in owner.text
    for line in ("hunter2", "password:hunter2"):
        assert (await owner.get(f"/monitor/jobs?q={line}")).status_code == 200
        assert "row-" not in owner.text
    await owner.get(f"/monitor/job?id={job.id}")
    assert '<bdi>password</bdi></dt><dd dir="auto"><code>&#34;***&#34;' in owner.text


async def test_a_text_of_two_characters_is_found(worker: str, owner: Visitor) -> None:
    job = await echo.delay("给植物浇水")
    other = await flaky.delay("别的东西")
    await job.get(timeout=10)

    await owner.get("/monitor/jobs?q=" + quote("浇水"))

    assert job.id in owner.text
    assert other.id not in owner.text


async def test_a_worker_s_page_lists_no_more_than_a_hundred(
    redis_url: str, connection: JobsRedis, owner: Visitor
) -> None:
    async with shop_worker(redis_url, max_jobs=150):
        await slow.apply_many([(60,)] * 120)

        async def all_run() -> bool:
            found = await monitor.workers(connection)
            return bool(found) and len(await monitor.running(connection, found[0].name)) == 120

        await wait_until(all_run, "all to run")
        await owner.get(f"/monitor/worker?name={(await monitor.workers(connection))[0].name}")

    assert owner.text.count('data-key="row-') == 100
    assert owner.marks.counts == {"held": 120}


async def test_pages_never_walk_through_all_keys(connection: JobsRedis, worker: str, owner: Visitor) -> None:
    job = await echo.delay("x")
    await job.get(timeout=10)
    await connection.config_resetstat()

    for path in ("", "jobs", "jobs?q=x", "jobs?q=state:scheduled", "workers", "tasks", "queues", "schedules",
                 "workflows", "broker", "audit", f"job?id={job.id}"):  # fmt: skip
        assert (await owner.get(f"/monitor/{path}")).status_code == 200

    used = set(await connection.info("commandstats"))
    assert used.isdisjoint({"cmdstat_keys", "cmdstat_scan", "cmdstat_hscan", "cmdstat_zscan"})


async def has(result: Result, state: str) -> bool:
    return await result.state() == state


async def is_quiet(connection: JobsRedis) -> bool:
    return any(worker.quiet for worker in await monitor.workers(connection))


async def nobody(connection: JobsRedis) -> bool:
    return not await monitor.workers(connection)
