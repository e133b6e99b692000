"""The pages of errors: what they count, what a traceback shows, what a press of a button does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from jobs import Viewer, monitor, monitor_app, task
from jobs.client.connection import JobsRedis
from jobs.monitor_site import ErrorGroup, errors
from tests.app.marks import Marks
from tests.app.visitor import TOKEN
from tests.jobs.monitor_site.api_client import Program, app_for_tests
from tests.jobs.worker.conftest import StartWorker, connection, start_worker

__all__ = ["connection", "start_worker"]

EVIL = "<script>alert(1)</script>"


@task(name="pages.charge")
async def charge(customer: int) -> None:
    try:
        int(f"card {customer}")
    except ValueError as error:
        raise LookupError(f"customer {customer} has {EVIL}") from error


@task(name="pages.sync")
async def sync() -> None:
    raise ConnectionError("refused")


@pytest.fixture
async def failed(connection: JobsRedis, start_worker: StartWorker) -> list[ErrorGroup]:
    """Two errors, of three jobs and of one."""
    await start_worker(tasks=[charge, sync])
    for result in [*await charge.apply_many([(n,) for n in (1, 2, 3)]), await sync.delay()]:
        await result.get(timeout=10, propagate=False)
    return await errors(connection)


@pytest.fixture
async def ann(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The browser of somebody who may act."""
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8001") as client:
        yield client


async def test_the_list_counts_errors_and_their_attempts(failed: list[ErrorGroup], ann: httpx.AsyncClient) -> None:
    page = (await ann.get("/errors")).text
    overview = (await ann.get("/")).text

    assert Marks(page).counts["errors"] == 2
    assert "2 errors caused 4 failed attempts in the last hour." in page
    for shown in (page, overview):
        assert [shown.count(f'href="/error?id={group.id}"') for group in failed] == [1, 1]
        assert shown.index(failed[0].id) < shown.index(failed[1].id)
        assert "test_errors_pages.py in charge" in shown
        assert re.search(r'aria-label="3 failed attempts, at most [23] in a minute"', shown)
        assert EVIL not in shown
    assert failed[0].id in (await ann.get("/errors?since=72h&state=all&sort=last")).text
    assert failed[0].id not in (await ann.get("/errors?state=resolved")).text
    for wrong in ("since=1y", "state=bad", "sort=name"):
        assert (await ann.get(f"/errors?{wrong}")).status_code == 404


async def test_one_error_shows_its_jobs_and_own_frames_open(failed: list[ErrorGroup], ann: httpx.AsyncClient) -> None:
    page = (await ann.get(f"/error?id={failed[0].id}")).text

    assert Marks(page).counts["attempts"] == 3
    assert len(set(re.findall(r'data-key="row-([^"]+)"', page))) == 3
    trace = page.partition('class="trace"')[2].partition("</details>\n<button")[0]
    assert re.findall(r"<b><bdi>(\w+)</bdi></b>", trace) == ["charge", "charge"]
    assert "<summary>As text</summary>" in trace
    assert "The above exception was the direct cause" in trace
    assert EVIL not in page
    assert (await ann.get("/error?id=0123456789abcdef")).status_code == 404
    assert (await ann.get("/error")).status_code == 404


async def test_an_error_is_resolved_ignored_and_opened(
    connection: JobsRedis, failed: list[ErrorGroup], ann: httpx.AsyncClient
) -> None:
    one = failed[0].id

    async def press(**form: str) -> tuple[str, list[str]]:
        word = TOKEN.findall((await ann.get(f"/error?id={one}")).text)[0]
        answer = await ann.post("/error/mark", data={"csrf_token": word, "id": one, **form})
        assert answer.status_code == 303, answer.text
        marks = Marks((await ann.get(answer.headers["Location"])).text)
        return marks.notices[0], marks.states

    notice, states = await press(state="resolved")
    assert (notice, "resolved" in states) == ("error-resolved", True)
    notice, states = await press(state="ignored", above="7")
    assert (notice, "ignored" in states) == ("error-ignored", True)
    assert [(group.state, group.above) for group in await errors(connection, state="ignored")] == [("ignored", 7)]
    assert (await press(state="open"))[0] == "error-open"
    assert len(await errors(connection)) == 2
    await connection.delete(f"{connection.key.ERROR}{one}")

    noted = [(entry.who, entry.what, entry.target) for entry in (await monitor.audit(connection)).rows]
    assert noted == [("ann", f"error {state}", one) for state in ("open", "ignored", "resolved")]
    word = TOKEN.findall((await ann.get("/queues")).text)[0]
    gone = await ann.post("/error/mark", data={"csrf_token": word, "id": one, "state": "resolved"})
    assert gone.status_code == 303
    assert "error-gone" in Marks((await ann.get("/errors")).text).notices
    assert (await ann.post("/error/mark", data={"csrf_token": word, "id": one, "state": "x"})).status_code == 404


async def test_all_jobs_of_an_error_are_run_again_by_a_plan(failed: list[ErrorGroup], ann: httpx.AsyncClient) -> None:
    page = (await ann.get(f"/error?id={failed[0].id}")).text
    [form] = re.findall(r'<form method="post" action="/many/plan">(.*?)</form>', page, re.DOTALL)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))

    answer = await ann.post("/many/plan", data=fields)

    assert (answer.status_code, fields["where"]) == (303, f"error:{failed[0].id} state:failed")
    plan = (await ann.get(answer.headers["Location"])).text
    assert re.search(r"\b3 jobs\b", plan), plan
    assert f'href="/jobs?q=error:{failed[0].id}"' in page.replace("%3A", ":")


async def test_the_api_says_what_the_pages_show(failed: list[ErrorGroup], redis_url: str) -> None:
    program = Program(app_for_tests(redis_url))

    listed = (await program.get("/errors", since="30m"))["rows"]
    one = await program.get(f"/errors/{failed[0].id}")

    assert [(row["id"], row["message"], row["jobs"]) for row in listed] == [
        (group.id, group.message, list(group.jobs)) for group in failed
    ]
    assert sum(one["counts"]) == 3
    for path, status in (("/errors?since=soon", 400), ("/errors?state=x", 400), ("/errors/nobody", 404)):
        await program.get(path)
        assert program.status == status
    marked = await program.post(f"/errors/{failed[0].id}/mark", state="ignored", above=9)
    assert (program.status, marked["code"]) == (200, "error-ignored"), marked
    assert (await program.get(f"/errors/{failed[0].id}"))["above"] == 9
    await program.post("/errors/nobody/mark", state="resolved")
    assert program.status == 409
