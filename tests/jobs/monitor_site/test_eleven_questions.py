"""The eleven questions of somebody on call at night, about a night that no test knows: see night/chosen.py.

Each is answered by pages within three clicks or by one typed line, by one line of a command, and by the API. A failure
prints the seed of its night: NIGHT_SEED=... plays it again.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from random import SystemRandom
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from jobs import Result, Viewer, monitor_app
from jobs.monitor_site.application import Monitor
from tests.browser import started
from tests.jobs.monitor_site.api_client import Program
from tests.jobs.monitor_site.compiled import compiled
from tests.jobs.monitor_site.night import by_api, by_command, in_browser
from tests.jobs.monitor_site.night.chosen import WAYS, Chosen, choose
from tests.jobs.monitor_site.night.operating import Operator
from tests.jobs.monitor_site.night.played import Night, played
from tests.jobs.monitor_site.serving import serving
from tests.redis_server import RedisServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def chosen() -> Chosen:
    return choose(int(os.environ.get("NIGHT_SEED") or SystemRandom().randrange(10**6)))


@pytest.fixture(autouse=True)
def seed(chosen: Chosen) -> None:
    """In the report of a failure."""
    print(f"NIGHT_SEED={chosen.seed}")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="quarq-") as folder:
        server = RedisServer(Path(folder)).start()
        yield server
        server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(server: RedisServer, chosen: Chosen) -> AsyncIterator[Monitor]:
    """Everybody may act; who it is, their browser says."""

    def viewer(request: Any) -> Viewer:
        name = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return Viewer(name, can_act=True, timezone=chosen.zone)

    app = compiled(monitor_app(server.url, viewer=viewer))
    yield app
    await app.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def night(server: RedisServer, app: Monitor, chosen: Chosen) -> AsyncIterator[Night]:
    async with played(chosen, server.url, app, server.folder) as night:
        yield night


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(app: Monitor, night: Night) -> AsyncIterator[Operator]:
    """At a browser of their own."""
    async with serving(app) as address, started() as browser:
        context = await browser.new_context(extra_http_headers={"Authorization": "Bearer night"})
        page = await context.new_page()
        page.set_default_timeout(10_000)
        yield Operator(page, address)


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest, app: Monitor, night: Night) -> Any:
    """The eleven questions, each a function; `way` is how they are asked."""
    way: str = request.param
    module: ModuleType = {"browser": in_browser, "command": by_command, "api": by_api}[way]
    operator = request.getfixturevalue("operator") if way == "browser" else None
    given = {"browser": [operator], "command": [], "api": [Program(app, "night")]}[way]

    async def asked(question: str, *words: Any) -> Any:
        if operator:
            await operator.begin()
        answer = await getattr(module, question)(*given, night, *words)
        if operator:
            print(f"{question}: {operator.steps} steps, of them {operator.lines} lines")
        return answer

    return SimpleNamespace(way=way, **{question: partial(asked, question) for question in QUESTIONS})


QUESTIONS = [
    "why_is_it_not_running", "what_failed_in_the_last_hour", "rerun_all_of_a_task", "which_worker_is_stuck",
    "who_paused_the_queue", "does_the_backlog_grow", "where_went_the_time", "jobs_of_a_customer", "edit_and_run_again",
    "slowest_tasks", "what_did_the_deploy_change",
]  # fmt: skip


async def test_an_operator_has_three_steps_and_one_line(operator: Operator) -> None:
    await operator.begin()
    for name in ("Errors", "Queues", "Tasks"):
        await operator.section(name)
    with pytest.raises(AssertionError, match="4 steps"):
        await operator.section("Workers")
    await operator.begin()
    await operator.type_line("state:failed")
    with pytest.raises(AssertionError, match="2 lines"):
        await operator.type_line("state:failed")


async def test_does_the_backlog_grow_and_when_does_it_drain(ask: Any, chosen: Chosen) -> None:
    """By about so many jobs: it depends on when in the minute one looks, or in the one after it."""
    about = pytest.approx(chosen.step_jobs, rel=0.8)

    assert await ask.does_the_backlog_grow() == {chosen.growing: ("grows", about), chosen.draining: ("drains", about)}


async def test_why_a_job_is_not_running(ask: Any, night: Night) -> None:
    found = {job_id: await ask.why_is_it_not_running(job_id) for job_id in night.reasons}

    assert found == night.reasons


async def test_what_failed_in_the_last_hour_and_is_it_one_error_or_many(ask: Any, chosen: Chosen) -> None:
    errors = {(one.task, f"shop.{one.error}", one.times) for one in chosen.errors}

    assert await ask.what_failed_in_the_last_hour() == (str(len(errors)), errors)


async def test_which_worker_is_stuck_and_on_what(ask: Any, night: Night) -> None:
    assert await ask.which_worker_is_stuck() == night.stuck


async def test_who_paused_the_queue(ask: Any, chosen: Chosen) -> None:
    assert await ask.who_paused_the_queue() == (chosen.paused, chosen.colleague)


async def test_where_the_time_of_a_workflow_went(ask: Any, chosen: Chosen, night: Night) -> None:
    assert await ask.where_went_the_time(night.workflow) == ("SUCCESS", chosen.steps[chosen.long_step])


async def test_all_jobs_of_a_customer(ask: Any, chosen: Chosen) -> None:
    """Their orders, whether the customer is given by position or by name; no other customer, and no other number."""
    assert await ask.jobs_of_a_customer(chosen.customer) == sorted(chosen.orders)


async def test_the_slowest_tasks(ask: Any, chosen: Chosen) -> None:
    """By how long a run takes, and by how long all took together."""
    found = await ask.slowest_tasks("p95"), await ask.slowest_tasks("time")

    assert found == (chosen.slowest, chosen.busiest)


async def test_what_the_deploy_has_changed(ask: Any, chosen: Chosen) -> None:
    assert await ask.what_did_the_deploy_change() == (chosen.versions[1], chosen.worse)


async def test_all_failures_of_a_task_since_a_time_run_again_once(ask: Any, chosen: Chosen, night: Night) -> None:
    n = chosen.reruns[ask.way].late

    assert await ask.rerun_all_of_a_task(chosen.reruns[ask.way].failing.task) == (n, n)

    late, early = night.late[ask.way], night.early[ask.way]

    async def all_ended() -> bool:
        return await night.runs_of(late) == late

    await wait_until(all_ended, f"each of {late} to have run again once")
    assert await night.runs_of(early) == []


async def test_edit_the_arguments_and_run_it_again(ask: Any, night: Night) -> None:
    new = await ask.edit_and_run_again(night.edited[ask.way], "the")

    assert new == f"{night.edited[ask.way]}~2"
    assert await Result(new, night.connection).get(timeout=10) == "order 7 of customer 0: the"


async def test_what_matters_is_neither_cut_nor_left_out(operator: Operator, night: Night) -> None:
    """How long the stuck job runs, in the list of jobs; and in a chart the only minute for a while that has a value."""
    await operator.begin()
    await operator.section("Running")
    runs = operator.page.locator("[data-state=long]")
    assert re.fullmatch(r"2\d min", await runs.inner_text())
    assert await runs.locator("..").evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    await operator.begin()
    chart = operator.page.locator("figure.chart", has_text="Run time").locator("canvas")
    await chart.wait_for()
    assert await chart.evaluate(COLOURED) > 20


COLOURED = """canvas => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.className = "line-warn";
    const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const is = (i) => data[i + 3] > 200 && wanted.every((part, k) => Math.abs(part - data[i + k]) < 8);
    return Array.from({ length: data.length / 4 }, (_, n) => is(n * 4)).filter(Boolean).length;
}"""
"""How many pixels have the colour of p95."""
