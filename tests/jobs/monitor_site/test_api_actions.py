"""Every action of the API: it does what the page's form does, and leaves the same line in the audit log."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from jobs import JobsRedis, Result, Viewer, monitor, monitor_app
from jobs.monitor_site.actions import of_queues
from jobs.monitor_site.application import Monitor
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.api_client import Program
from tests.jobs.monitor_site.shop import echo, fail, shop_worker, slow
from tests.jobs.monitor_site.watching import store_schedule
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def program(app: Monitor, connection: JobsRedis) -> Program:
    """The owner's, below the same prefix."""
    return Program(app, prefix="/monitor")


@pytest.fixture
async def worker(connection: JobsRedis, redis_url: str) -> AsyncIterator[str]:
    async with shop_worker(redis_url):
        [found] = await wait_until(lambda: monitor.workers(connection), "the worker to be online")
        yield found.name


async def audited(connection: JobsRedis, *ids: str) -> list[tuple[str, str, str, str]]:
    """The audit log, the newest first, without ids that differ each time."""
    found = []
    for row in (await monitor.audit(connection)).rows:
        target, result = (re.sub("|".join([*ids, "[0-9a-f]{32}"]), "ID", word) for word in (row.target, row.result))
        found.append((row.who, row.what, target, result))
    return found


async def test_jobs(connection: JobsRedis, worker: str, owner: Visitor, program: Program) -> None:
    """The same five actions, once by forms and once by a program."""
    calls: list[list[Result]] = []
    for _ in range(2):
        failed, waiting, later = await fail.delay("x"), *await echo.apply_many([(1,), (2,)], countdown=600)
        running = await slow.delay(60)
        await failed.get(propagate=False, timeout=10)
        calls.append([failed, waiting, later, running])
        await wait_until(partial(is_in, running, "STARTED"), "it to run")
    for n, (path, form, body) in enumerate(
        (
            ("retry", {}, {}),
            ("revoke", {}, {}),
            ("reschedule", {"when": "2030-07-01T10:30"}, {"when": "2030-07-01T08:30Z"}),
            ("revoke", {"terminate": "1"}, {"terminate": True}),
            ("revoke", {}, {}),
        )
    ):
        by_form, by_program = (made[n % 4] for made in calls)
        await owner.post(f"/monitor/job/{path}", page="/monitor/queues", id=by_form.id, **form)
        answer = await program.post(f"/jobs/{by_program.id}/{path}", **body)
        assert program.status == (200 if n < 4 else 409), answer
        last, before = (await audited(connection, by_form.id, by_program.id))[:2]
        assert last == before, answer
        assert answer.get("message", answer.get("error", {}).get("message")) is not None

    whats = [row[1] for row in await audited(connection)][::2]
    assert whats == ["revoke", "revoke and stop", "reschedule", "revoke", "retry"]
    for failed, waiting, later, running in calls:
        assert await Result(f"{failed.id}~2").get(propagate=False, timeout=10)
        assert await waiting.state() == "REVOKED"
        assert (await later.info()).due.isoformat() == "2030-07-01T08:30:00+00:00"  # type: ignore[union-attr]
        await wait_until(partial(is_in, running, "REVOKED"), "it to be stopped")


async def is_in(result: Result, state: str) -> bool:
    return await result.state() == state


CASES = [
    ("/queues/mail/pause", {}, "/queue/pause", {"name": "mail"}, "paused", "paused-already"),
    ("/queues/mail/resume", {}, "/queue/resume", {"name": "mail"}, "not-paused", "not-paused"),
    ("/queues/mail/purge", {"confirm": "mail"}, "/queue/purge", {"name": "mail", "typed": "mail"}, "purged", "purged"),
    (
        "/queues/mail/purge", {"confirm": "mail", "scheduled": True},
        "/queue/purge", {"name": "mail", "typed": "mail", "scheduled": "1"}, "purged", "purged",
    ),
    ("/tasks/x/rate-limit", {"rate": "5/s"}, "/task/rate", {"name": "x", "rate": "5/s"}, "rate-set", ""),
    ("/tasks/x/rate-limit", {"rate": ""}, "/task/rate", {"name": "x", "rate": ""}, "rate-gone", ""),
    ("/tasks/x/rate-limit", {"rate": "often"}, "/task/rate", {"name": "x", "rate": "often"}, 400, ""),
    ("/tasks/x/limits", {"limit": "5"}, "/task/limit", {"name": "x", "limit": "5"}, "limit-changed", ""),
    ("/tasks/x/limits", {"limit": "pause"}, "/task/limit", {"name": "x", "limit": "pause"}, "limit-changed", ""),
    (
        "/tasks/x/limits", {"limit": "5/s", "key": "a=1"},
        "/task/limit", {"name": "x", "limit": "5/s", "key": "a=1"}, 404, "",
    ),
    ("/schedules/stored/pause", {}, "/schedule/pause", {"name": "stored"}, "paused", ""),
    ("/schedules/stored/resume", {}, "/schedule/resume", {"name": "stored"}, "resumed", ""),
    ("/schedules/none/pause", {}, "/schedule/pause", {"name": "none"}, 404, ""),
    ("/schedules/none/run", {}, "/schedule/run", {"name": "none"}, 404, ""),
    ("/workers/none/quiet", {}, "/worker/quiet", {"name": "none"}, 409, ""),
    ("/workers/none/stop", {}, "/worker/stop", {"name": "none"}, 409, ""),
    ("/errors/none/mark", {"state": "resolved"}, "/error/mark", {"id": "none", "state": "resolved"}, 409, ""),
    (
        "/errors/none/mark", {"state": "ignored", "above": 3},
        "/error/mark", {"id": "none", "state": "ignored", "above": "3"}, 409, "",
    ),
    ("/errors/none/mark", {"state": "open"}, "/error/mark", {"id": "none", "state": "open"}, 409, ""),
    ("/jobs/none/retry", {}, "/job/retry", {"id": "none"}, 409, ""),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "page", "form", "outcome", "again"), CASES)
async def test_each_action_is_the_form_s(
    connection: JobsRedis, owner: Visitor, program: Program,
    path: str, body: dict[str, Any], page: str, form: dict[str, str], outcome: Any, again: str,
) -> None:  # fmt: skip
    """First by a program, then by the form: the audit log has the same line twice, unless the second finds it done."""
    await store_schedule(connection)
    await store_schedule(connection, "other")

    answer = await program.post(path, **body)
    await owner.post(f"/monitor{page}", page="/monitor/queues", **form)

    if isinstance(outcome, str):
        assert (program.status, answer["code"]) == (200, outcome)
    else:
        assert (program.status, list(answer)) == (outcome, ["error"])
    by_form, by_program = await audited(connection)
    assert by_form[:3] == by_program[:3]
    assert (by_form[3] == by_program[3]) is (again in ("", outcome))
    assert by_program[3] == answer.get("message", answer.get("error", {}).get("message"))


async def test_a_long_queue_is_purged_part_by_part(
    connection: JobsRedis, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_queues, "PURGE_S", 0)
    await echo.apply_many([(n,) for n in range(600)], queue="mail")

    assert (await program.post("/queues/mail/purge", confirm="male"))["error"]["code"] == "wrong-name"
    first = await program.post("/queues/mail/purge", confirm="mail")
    second = await program.post("/queues/mail/purge", confirm="mail")
    third = await program.post("/queues/mail/purge", confirm="mail")

    assert [(one["jobs"], one["more"]) for one in (first, second, third)] == [(500, True), (100, True), (0, False)]


async def test_schedules_and_workers(connection: JobsRedis, worker: str, program: Program) -> None:
    assert (await program.post("/schedules/stock-taking/forget"))["error"]["code"] == "in-use"
    job = await program.post("/schedules/stock-taking/run")
    assert await Result(job["id"]).get(timeout=10) == "stock"
    assert (await program.post(f"/workers/{worker}/quiet"))["code"] == "quiet"


async def test_a_page_of_the_host_that_asks_first_is_not_passed_by(redis_url: str, connection: JobsRedis) -> None:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True), questions={"stored": "/ask?a=1"})
    await store_schedule(connection)

    program = Program(app)
    answer = await program.post("/schedules/stored/run")

    assert (program.status, answer["error"]["code"]) == (409, "asks")
    assert "/ask?a=1" in answer["error"]["message"]
    assert await audited(connection) == []
    await app.close()


async def test_a_job_runs_again_with_other_arguments(connection: JobsRedis, worker: str, program: Program) -> None:
    job = await echo.delay({"a": 1, "password": "x"}, note="n")
    await job.get(timeout=10)

    form = await program.get(f"/jobs/{job.id}/arguments")
    assert [(one["name"], one["value"]) for one in form["arguments"]] == [
        ("*values 1", {"a": 1, "password": "***"}),
        ("note", "n"),
    ]
    value = form["arguments"][0]["value"] | {"a": 2}
    again = {"arguments": {"*values 1": value, "more": [None]}, "left_out": ["note"], "new_id": form["new_id"]}
    for code in ("edited", "run-already"):
        answer = await program.post(f"/jobs/{job.id}/run-again", **again)
        assert (answer["code"], answer["id"]) == (code, f"{job.id}~2")

    assert await Result(answer["id"]).get(timeout=10) == {"a": 2, "password": "x"}
    rerun = await program.get(f"/jobs/{answer['id']}")
    assert rerun["call"]["kwargs"] == {"more": [None]}
    assert [row[1] for row in await audited(connection)] == ["edit and run again"] * 2


async def test_a_task_is_called(connection: JobsRedis, worker: str, program: Program) -> None:
    known = await program.get("/tasks/shop.create_user/parameters")
    assert [(one["name"], one["is_required"]) for one in known["arguments"]] == [("name", True), ("password", True)]
    for body, words in (
        ({"arguments": {"name": "Ann"}}, "password: shop.create_user needs it"),
        ({"arguments": {"name": "Ann", "password": 1, "age": 3}}, "age: shop.create_user has no parameter"),
        ({"arguments": {"name": "Ann", "password": float("nan")}}, "password: no JSON"),
        ({"arguments": {"name": "***", "password": "x"}}, "name: *** stands for a value"),
        ({"arguments": {}, "new_id": "x"}, "no id for a new job"),
    ):
        answer = await program.post("/tasks/shop.create_user/call", **body)
        assert program.status == 400
        assert words in answer["error"]["message"]
    assert await audited(connection) == []

    called = await program.post("/tasks/shop.create_user/call", arguments={"name": "Ann", "password": "x"})

    assert await Result(called["id"]).get(timeout=10) == "Ann"
    assert await audited(connection) == [("owner", "run task", "shop.create_user", "Queued as ID.")]


async def test_many_jobs_by_a_plan(connection: JobsRedis, worker: str, program: Program) -> None:
    failed = [await fail.delay(str(n)) for n in range(3)]
    for job in failed:
        await job.get(propagate=False, timeout=10)
    for body, words in (
        ({"action": "retry"}, "Give a query as q"),
        ({"action": "retry", "q": "state:x"}, "state:x: write"),
        ({"action": "explode", "q": "state:failed"}, "one of retry"),
        ({"action": "retry", "ids": [1]}, "each item is a text"),
        ({"action": "retry", "ids": ["a"] * 501}, "at most 500"),
    ):
        assert words in (await program.post("/plans", **body))["error"]["message"]
        assert program.status == 400

    plan = await program.post("/plans", action="retry", q="task:shop.fail state:failed")
    assert (plan["jobs"], plan["groups"]) == (3, [{"task": "shop.fail", "error": "ValueError", "jobs": 3}])
    assert (await program.get(f"/plans/{plan['id']}"))["run"] is None
    assert (await program.post(f"/plans/{plan['id']}/stop"))["error"]["code"] == "gone"
    started = [await program.post(f"/plans/{plan['id']}/start") for _ in range(2)]
    await Result(started[0]["id"]).get(timeout=10)

    assert [one["jobs"] for one in started] == [3, 3]
    found = await program.get(f"/plans/{plan['id']}")
    assert (found["plan"]["done"], found["run"]["state"]) == (3, "SUCCESS")
    assert (await program.post(f"/plans/{plan['id']}/stop"))["error"]["code"] == "ended"
    assert await Result(f"{failed[0].id}~2").get(propagate=False, timeout=10)
    empty = await program.post("/plans", action="purge", ids=[failed[0].id])
    assert empty["left_out"] == {"FAILURE": 1}
    assert (await program.post(f"/plans/{empty['id']}/start"))["error"]["code"] == "nothing-to-do"
