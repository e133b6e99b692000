"""Pages for many jobs, for edited jobs, and the questions before what destroys: what they ask, do, refuse and note."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobs import Result, Viewer, crontab, group, monitor, monitor_app, monitor_site, schedules, task
from jobs.client.connection import JobsRedis
from jobs.monitor_site.application import Monitor
from jobs.monitor_site.pages.question_page import QUESTIONS
from jobs.store.keys import Keys
from tests.app.visitor import Visitor, words
from tests.jobs.monitor_site.watching import store_schedule
from tests.jobs.worker.conftest import StartWorker, connection, start_worker
from tests.jobs.worker.tasks import ALL, fail, log, nap
from tests.waiting import wait_until

__all__ = ["connection", "start_worker"]

HARM = "<img src=x onerror=alert(1)>"
SECRET = "s3cr3t-41"


@task(name="tests.pages.pay")
async def pay(amount: Any, password: str = "", *, note: str = "") -> Any:
    return [amount, password, note]


@pytest.fixture
async def app(redis_url: str) -> AsyncIterator[Monitor]:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True), prefix="/monitor")
    yield app
    await app.close()


@pytest.fixture
def ann(app: Monitor, connection: JobsRedis) -> Visitor:
    return Visitor(app)


async def online(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker(tasks=[*ALL, pay])
    await wait_until(lambda: monitor.workers(connection), "the worker to be online")


def id_in(response: Any) -> str:
    return parse_qs(urlsplit(response.location or "").query)["id"][0]


async def audit(connection: JobsRedis) -> list[tuple[str, str, str, str]]:
    return [(row.who, row.what, row.target, row.result) for row in (await monitor.audit(connection)).rows]


async def test_the_plan_is_the_question_and_its_page_shows_the_run(
    connection: JobsRedis, start_worker: StartWorker, ann: Visitor
) -> None:
    await online(connection, start_worker)
    failed = [await fail.delay(str(n)) for n in range(3)]
    for result in failed:
        await wait_until(result.ready, "the job to fail")
    await wait_until(Result(await monitor.retry(connection, failed[0].id)).ready, "its rerun to fail")

    form = {"where": "task:tests.fail state:failed", "action": "retry", "rate": "50/s"}
    answer = await ann.post("/monitor/many/plan", page="/monitor/many", **form)
    assert answer.status_code == 303
    await ann.get(answer.location or "")
    assert ann.marks.counts["jobs"] == 3
    assert "1 run again already" in words(ann)
    assert "Run again: 3 jobs" in words(ann)
    assert "ends in 60 ms" in words(ann)
    assert await audit(connection) == []
    assert len(await monitor_site.reruns_of(connection, failed[1].id)) == 1

    plan = id_in(answer)
    for _ in range(2):
        started = await ann.post("/monitor/many/start", page=f"/monitor/many/plan?id={plan}", id=plan)
    await Result(f"bulk:{plan}").get(timeout=5)
    await ann.get(started.location or "")

    assert ann.marks.counts["done"] == 3
    assert "SUCCESS" in ann.marks.states
    assert not [action for action in ann.marks.actions if "/many/" in action and "?" not in action]
    assert [len(await monitor_site.reruns_of(connection, result.id)) for result in failed] == [3, 2, 2]
    assert await audit(connection) == [("ann", "retry many", "task:tests.fail state:failed", "3 of 3 jobs")]
    [reruns] = re.findall(r'data-state="reruns" href="([^"]+)"', ann.text)
    await ann.get(unescape(reruns))
    assert {f"{failed[0].id}~3", f"{failed[1].id}~2", f"{failed[2].id}~2"} <= {
        *re.findall(r'title="(\w+~\d)"', ann.text)
    }
    await ann.get(f"/monitor/job?id={failed[1].id}")
    assert f"Run again as {failed[1].id}~2 FAILURE" in words(ann)


async def test_a_run_is_stopped_and_goes_on(connection: JobsRedis, start_worker: StartWorker, ann: Visitor) -> None:
    await online(connection, start_worker)
    waiting = await log.apply_many([(n,) for n in range(20)], countdown=600)
    answer = await ann.post(
        "/monitor/many/plan", page="/monitor/many", where="queue:default state:scheduled", action="purge", rate="20/s"
    )
    plan = id_in(answer)
    page = f"/monitor/many/plan?id={plan}"
    await ann.post("/monitor/many/start", page=page, id=plan)

    async def some_are_done() -> bool:
        await ann.get(page)
        return ann.marks.counts.get("done", 0) > 0

    await wait_until(some_are_done, "the run to be under way")
    assert "/monitor/many/stop" in ann.marks.actions
    await ann.post("/monitor/many/stop", page=page, id=plan)
    await wait_until(Result(f"bulk:{plan}").ready, "the run to stop")
    await ann.get(page)
    assert 0 < ann.marks.counts["done"] < 20
    assert "/monitor/many/go-on" in ann.marks.actions
    await ann.post("/monitor/many/go-on", page=page, id=plan)
    await Result(f"bulk:{plan}~2").get(timeout=5)

    assert {await result.state() for result in waiting} == {"REVOKED"}
    assert [what for _, what, *_ in await audit(connection)] == ["purge many", "go on with many", "stop many"]


async def test_without_a_worker_the_page_says_so_and_does_nothing(connection: JobsRedis, ann: Visitor) -> None:
    result = await log.delay("x")
    answer = await ann.post("/monitor/many/plan", page="/monitor/many", id=result.id, action="purge")
    await ann.get(answer.location or "")
    assert "no-worker" in ann.marks.states

    plan = id_in(answer)
    started = await ann.post("/monitor/many/start", page=answer.location or "", id=plan)
    await ann.get(started.location or "")

    assert ann.marks.notices == ["no-worker"]
    assert await result.state() == "PENDING"
    assert await audit(connection) == []


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"where": "", "action": "purge"}, "the query is empty"),
        ({"where": "state:nobody", "action": "purge"}, "state:nobody"),
        ({"where": "x", "action": "erase"}, "erase"),
        ({"where": "x", "action": "move", "queue": ""}, "queue"),
        ({"where": "x", "action": "move", "queue": "=arq:job:x"}, "="),
        ({"where": "x", "action": "retry", "rate": "often"}, "often"),
        ({"where": "x" * 600, "action": "retry"}, ""),
        ({"where": HARM, "action": HARM, "queue": HARM, "rate": HARM}, HARM),
    ],
    ids=range(8),
)
async def test_a_wrong_plan_keeps_what_was_typed(
    connection: JobsRedis, ann: Visitor, form: dict[str, str], says: str
) -> None:
    answer = await ann.post("/monitor/many/plan", page="/monitor/many", **form)

    if len(form["where"]) > 500:
        assert answer.status_code in (303, 400)
        return
    assert answer.status_code == 400
    assert ann.marks.errors == ["no-plan"]
    assert says in unescape(ann.text)
    assert HARM not in ann.text
    for typed in form.values():
        assert unescape(ann.text).count(typed) or not typed


async def test_a_job_is_edited_and_a_task_is_called(
    connection: JobsRedis, start_worker: StartWorker, ann: Visitor
) -> None:
    await online(connection, start_worker)
    await wait_until(lambda: connection.hexists(Keys.TASKS, pay.name), "the worker to declare its tasks")
    first = await pay.delay({"to": HARM, "token": SECRET}, SECRET)
    await first.get(timeout=5)
    await ann.get(f"/monitor/job?id={first.id}")
    page = f"/monitor/job/edit?id={first.id}"
    assert page in ann.marks.actions
    await ann.get(page)
    assert SECRET not in ann.text
    assert HARM not in ann.text
    fields = {unescape(name): unescape(text) for name, text in _areas(ann.text)}
    assert [json.loads(text) for text in fields.values() if text] == [{"to": HARM, "token": "***"}, "***"]

    wrong = fields | {"argument-place-0": '{"to": "typed",'}
    refused = await ann.post("/monitor/job/edit", page=page, id=first.id, new=f"{first.id}~2", **wrong)
    assert refused.status_code == 400
    assert ann.marks.errors == ["wrong-argument"]
    assert "amount: no JSON at line 1, column 16" in unescape(ann.text)
    assert '{"to": "typed",' in unescape(ann.text)

    doubtful = fields | {"argument-place-0": '"text"'}
    assert (
        await ann.post("/monitor/job/edit", page=page, id=first.id, new=f"{first.id}~2", **doubtful)
    ).status_code == 400
    assert ann.marks.errors == ["doubtful"]
    assert 'name="sure"' in ann.text

    right = fields | {
        "argument-place-0": fields["argument-place-0"].replace(HARM, "typed"),
        "argument-name-note": '"n"',
    }
    for _ in range(2):
        sent = await ann.post("/monitor/job/edit", page=page, id=first.id, new=f"{first.id}~2", **right)
        assert id_in(sent) == f"{first.id}~2"
    assert await Result(f"{first.id}~2").get(timeout=5) == [{"to": "typed", "token": SECRET}, SECRET, "n"]
    assert not await connection.exists(Keys.JOB + f"{first.id}~3")
    sent = await ann.post("/monitor/job/edit", page=page, id=first.id, new=f"{first.id}~3", sure="1", **doubtful)
    assert id_in(sent) == f"{first.id}~3"

    await ann.get(f"/monitor/task?name={pay.name}")
    page = f"/monitor/task/run?name={pay.name}"
    assert page in ann.marks.actions
    await ann.get(page)
    new = re.findall(r'name="new" value="(\w+)"', ann.text)[0]
    form = {"name": pay.name, "new": new, "argument-name-amount": "41", "queue": "default", "countdown": "0"}
    await ann.post("/monitor/task/run", page=page, **form)
    assert await Result(new).get(timeout=5) == [41, "", ""]
    assert [line[:3] for line in await audit(connection)] == [
        ("ann", "run task", pay.name),
        *3 * [("ann", "edit and run again", first.id)],
    ]


def _areas(html: str) -> list[tuple[str, str]]:
    return re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>\n(.*?)</textarea>', html, re.DOTALL)


async def test_another_jobs_id_is_not_taken_for_a_rerun(connection: JobsRedis, ann: Visitor) -> None:
    first, other = await log.delay("x"), await log.delay("y")

    for new in (other.id, first.id, f"{other.id}~2", "x"):
        answer = await ann.post("/monitor/job/edit", page="/monitor/many", id=first.id, new=new)
        assert answer.status_code == 404, new


LEADS_TO_HARM = {
    "revoke_job": {"revoke", "stop"},
    "pause_queue": {"pause"},
    "resume_queue": {"resume"},
    "quiet_worker": {"quiet"},
    "stop_worker": {"stop-worker"},
    "forget_schedule": {"forget"},
    "delete_schedule": {"delete"},
    "backfill_schedule": {"a page that counts the moments of a span of time"},
    "purge_queue": {"a page that counts, and asks for the queue's name"},
    "run_schedule": {"a page that says what it calls"},
    "start_plan": {"the plan"},
    "run_job_from": {"run-from"},
}
"""What destroys, mails, or affects more than one job, and the question before it."""
ASKS_NOTHING = {
    "retry_job": "one job that was looked at; for a workflow the button leads to a question",
    "reschedule_job": "one job, to a time that was typed",
    "pause_schedule": "no job that is there; undone by one press",
    "resume_schedule": "no job that is there; undone by one press",
    "change_rate": "a rate that was typed; undone by typing the one before",
    "change_limit": "a limit that was typed, or a pause; undone by one press",
    "choose_zone": "shows times",
    "mark_error": "the state of an error, and no job; undone by one press",
    "make_plan": "changes no job: it is the question",
    "stop_plan": "keeps more jobs from being changed",
    "continue_plan": "does what was agreed to",
    "run_edited": "one job, with arguments that were looked at",
    "run_task": "one job, with arguments that were typed",
    "answer_job": "one job that asks: it was read, and its form is the question",
    "send_event": "one job, with a value that was typed",
}


async def test_every_form_that_changes_something_asks_first_or_says_why_not(app: Monitor) -> None:
    posts = {
        rule.endpoint.removeprefix("monitor.")
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint.startswith("monitor.")
    }

    assert posts == LEADS_TO_HARM.keys() | ASKS_NOTHING.keys()
    assert QUESTIONS.keys() - {"retry"} == {
        one for asked in LEADS_TO_HARM.values() for one in asked if " " not in one
    } - {"the plan"}


@pytest.mark.parametrize("what", [what for what in QUESTIONS if what != "run-from"])  # see test_durable_pages.py
async def test_a_question_says_how_many_and_only_its_button_does_it(
    connection: JobsRedis, start_worker: StartWorker, ann: Visitor, what: str
) -> None:
    await online(connection, start_worker)
    [worker] = await monitor.workers(connection)
    running = [await nap.delay(30) for _ in range(2)]
    for result in running:
        await wait_until(lambda result=result: _is(result, "STARTED"), "the job to run")
    flow = await group(fail.s("x"), fail.s("y"), log.s("z")).delay()
    await wait_until(flow.ready, "the workflow to fail")
    await log.apply_many([(n,) for n in range(3)], countdown=600)
    await log.apply_many([(n,) for n in range(2)], queue="elsewhere")
    await connection.sadd(Keys.PAUSED, "elsewhere")
    await store_schedule(connection, "gone")
    await schedules.put("report:42", log.s(1), crontab("0 8 * * *"))
    name, n, page = {
        "revoke": (running[0].id, 1, f"job?id={running[0].id}"),
        "stop": (running[0].id, 1, f"job?id={running[0].id}"),
        "retry": (flow.id, 2, f"workflow?id={flow.id}"),
        "pause": ("default", 3, "queues"),
        "resume": ("elsewhere", 2, "queues"),
        "quiet": (worker.name, 2, f"worker?name={worker.name}"),
        "stop-worker": (worker.name, 2, f"worker?name={worker.name}"),
        "forget": ("gone", None, "schedules"),
        "delete": ("report:42", None, "schedules"),
    }[what]

    await ann.get(f"/monitor/{page}")
    link = next(unescape(one) for one in ann.marks.actions if f"what={what}&" in one)
    forms = {one for one in ann.marks.actions if one.startswith("/monitor/") and "?" not in one}
    await ann.get(link)

    assert ann.marks.counts.get("asked") == n
    elsewhere = ("/queues", "/schedules", "/zone", "/jobs")
    [leads_to] = [
        action for action in ann.marks.actions if action and "?" not in action and not action.endswith(elsewhere)
    ]
    assert leads_to not in forms
    assert name in unescape(ann.text)


async def _is(result: Any, state: str) -> bool:
    return await result.state() == state
