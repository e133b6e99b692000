"""The page of a workflow: where its time went, each step with its state in words, failed members first."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from jobs import Result, Viewer, chain, chord, group, monitor, monitor_app, signature
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from jobs.workflows.canvas import Node
from tests.jobs.monitor.conftest import Reach, as_documented, connection, reach, start_process, start_worker
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

__all__ = ["as_documented", "connection", "reach", "start_process", "start_worker"]

Open = Callable[..., Any]


@pytest.fixture
async def open_page(redis_url: str) -> AsyncIterator[Open]:
    """The text of a page, with its status."""
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann"))
    client = app.test_client()

    async def opened(path: str, status: int = 200) -> str:
        response = await client.get(path)
        text: str = await response.get_data(as_text=True)
        assert response.status_code == status, (path, text)
        return text

    yield opened
    await app.close()


def steps_in(page: str) -> dict[str, str]:
    """The rows of the table of steps, by path."""
    return dict(re.findall(r'<tr data-key="step-([^"]*)"(.*?)</tr>', page, re.DOTALL))


def words_in(row: str) -> list[tuple[str, str]]:
    """The badges of a row: each with its colour."""
    return [
        (word, colour) for colour, word in re.findall(r'<span class="badge ([a-z]*)" data-state="[^"]*">([^<]*)<', row)
    ]


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


STATES: dict[str, tuple[Node, list[tuple[str, str]]]] = {
    "succeeded": (tasks.log.si(1), [("SUCCESS", "good")]),
    "failed": (tasks.fail.si("no luck"), [("FAILURE", "bad")]),
    "expired": (tasks.log.si(1).set(expires=-1), [("REVOKED", "off")]),
    "runs": (tasks.nap.si(600), [("STARTED", "")]),
    "waits for its retry": (tasks.patient.si(), [("RETRY", "warn")]),
    "is due later": (tasks.log.si(1).set(countdown=3600), [("PENDING", "off")]),
    "is in a paused queue": (tasks.log.si(1).set(queue="calm"), [("PENDING", "off"), ("queue paused", "warn")]),
    "is in a queue of nobody": (
        tasks.log.si(1).set(queue="nobodys"), [("PENDING", "off"), ("no worker for its queue", "bad")],
    ),
    "is of an unknown task": (
        signature("flow.nobody_knows").set(queue="live"), [("PENDING", "off"), ("no worker has this task", "bad")],
    ),
    "is over a limit": (tasks.wait_until_there.si("/never"), [("PENDING", "off"), ("concurrency limit", "warn")]),
    "is not called yet": (chain(tasks.nap.si(600), tasks.log.si(1)), [("not started", "off")]),
    "is skipped": (chain(tasks.fail.si(), tasks.log.si(1)), [("skipped", "off")]),
}  # fmt: skip
"""What can be so of a step: the words and colours of its last task."""

KINDS: dict[str, Callable[[Node], Node]] = {
    "a member of a group": lambda node: node,
    "a step of a chain": lambda node: chain(tasks.log.si(1), node),
    "the body of a chord": lambda node: chord([tasks.log.si(1)], node),
    "in a chord in a chain": lambda node: chain(tasks.log.si(1), chord([tasks.log.si(1)], node)),
}


@pytest.mark.timeout(60)
async def test_each_step_has_its_state_in_a_word_and_a_colour(
    connection: JobsRedis, start_worker: StartWorker, open_page: Open, reach: Reach
) -> None:
    await start_worker(queues=["live", "calm", "default"], lease_renewal=0.1)
    await connection.declare_limits("tests.wait_until_there", None, 1)
    await reach(await tasks.wait_until_there.delay("/never"), "STARTED")
    await monitor.pause(connection, "calm")
    expected = [words for _, words in STATES.values()]
    for kind, build in KINDS.items():
        flow = await group(build(node) for node, _ in STATES.values()).delay()

        async def seen(flow: Result[Any] = flow) -> list[list[tuple[str, str]]]:
            """Of the last task of each member."""
            rows = steps_in(await open_page(f"/workflow?id={flow.id}&path=-"))
            members = {path.partition(".")[0]: words_in(row) for path, row in rows.items() if path != "root"}
            return [members[str(n)] for n in range(len(STATES))]

        async def fits(seen: Callable[[], Any] = seen) -> bool:
            return bool(await seen() == expected)

        try:
            await wait_until(fits, kind, timeout_s=8)
        except AssertionError:
            assert dict(zip(STATES, await seen(), strict=True)) == dict(zip(STATES, expected, strict=True)), kind
    await connection.delete(Keys.PAUSED, Keys.LIMITS)


async def test_of_a_large_group_the_failed_members_come_first_and_all_are_pages_away(
    start_worker: StartWorker, open_page: Open, reach: Reach
) -> None:
    await start_worker(max_jobs=100)
    bad = [7, 133, 200]
    members = [tasks.fail.si(f"row {n}") if n in bad else tasks.log.si(n) for n in range(210)]
    flow = await chord(members, tasks.log.s()).delay()
    await reach(flow, "FAILURE")
    address = f"/workflow?id={flow.id}"

    whole = await open_page(address)
    drawn = steps_in(whole)
    first = {f"0.{n}" for n in bad}  # among them, the one that decided the end may come first
    assert (set(list(drawn)[2:5]), len(drawn)) == (first, 8)
    assert "View all 210 members" in whole
    assert "not started" not in whole
    assert words_in(drawn["1"]) == [("skipped", "off")]
    assert ("skipped", "off") in words_in(await open_page(f"/job?id={flow.id}:1"))
    assert "3 failed or revoked" in text_of(drawn["0"])
    assert [f"ValueError: row {n}" in whole for n in bad] == [True] * 3
    page = await open_page(f"{address}&path=0")
    assert (set(list(steps_in(page))[1:4]), len(steps_in(page))) == (first, 51)
    assert "All 210" in page
    failed = await open_page(f"{address}&path=0&state=FAILURE")
    assert steps_in(failed).keys() == {"0", *first}
    seen = set()
    for start in range(0, 250, 50):
        seen |= steps_in(await open_page(f"{address}&path=0&start={start}")).keys()
    assert seen == {"0", *(f"0.{n}" for n in range(210))}
    for wrong in ("path=7", "path=0.9999", "path=x", "path=..", "path=1.0"):
        assert "Nothing with this" in await open_page(f"{address}&{wrong}", 404)
    assert list(steps_in(await open_page(f"{address}&path=0&state=odd"))) == ["0"]


async def test_the_path_is_marked_in_words_and_says_where_the_time_went(
    start_worker: StartWorker, open_page: Open, reach: Reach
) -> None:
    await start_worker()
    flow = await chain(group(tasks.log.si(1), tasks.nap.si(0.2)), tasks.flaky.si(1)).delay()
    await reach(flow, "SUCCESS")

    page = await open_page(f"/workflow?id={flow.id}")
    rows = steps_in(page)
    marked = [path for path, row in rows.items() if "decided the end" in text_of(row)]
    assert marked == ["root", "0", "0.1", "1"]
    assert "attempt 2" in rows["1"]
    assert 'class="retry' in rows["1"]
    assert re.search(r"tests\.nap 2 of 2 decided the end", text_of(page))
    assert "between attempts" in text_of(page)
    assert "<title>chain of 2: 2 × (tests.log, tests.nap) → tests.flaky" in page


async def test_what_callers_give_is_text_and_secrets_are_hidden(connection: JobsRedis, open_page: Open) -> None:
    hostile = "<script>alert(1)</script>"
    flow = await chain(signature(hostile, ({"password": "hunter2"},)), signature(hostile, (hostile,))).delay()

    page = await open_page(f"/workflow?id={flow.id}")
    assert "hunter2" not in page
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4  # in the name, as tasks and as an argument
    listed = await open_page(f"/workflows?text={quote(hostile)}")
    assert "<script>alert" not in listed
    assert flow.id in listed


async def test_a_workflow_whose_times_are_forgotten_still_has_a_page(
    connection: JobsRedis, start_worker: StartWorker, open_page: Open, reach: Reach
) -> None:
    await start_worker()
    flow = await group(tasks.log.si(n) for n in range(3)).delay()
    await reach(flow, "SUCCESS")
    await connection.delete(*(f"{Keys.RECORD}{flow.id}{place}" for place in ("", ":0", ":1", ":2")))

    page = await open_page(f"/workflow?id={flow.id}")
    assert "when 3 of its 3 tasks ran is forgotten" in page
    assert page.count("times forgotten") == 3


async def test_the_list_is_filtered_and_sorted(start_worker: StartWorker, open_page: Open, reach: Reach) -> None:
    await start_worker()
    slow = await (tasks.nap.si(0.3) | tasks.log.si(1)).delay()
    await reach(slow, "SUCCESS")
    failed = await group(tasks.fail.si("no luck"), tasks.log.si(1)).delay()
    await reach(failed, "FAILURE")

    async def ids(query: str) -> list[str]:
        return re.findall(r'data-key="workflow-([^"]*)"', await open_page(f"/workflows?{query}"))

    assert await ids("") == [failed.id, slow.id]
    assert await ids("sort=longest") == [slow.id, failed.id]
    assert await ids("state=FAILURE") == await ids("text=tests.FAIL") == await ids("text=no+luck") == [failed.id]
    assert "No workflows match these filters." in await open_page("/workflows?text=nowhere")
    await open_page("/workflows?state=odd", 404)
    await open_page("/workflows?cursor=odd", 404)
