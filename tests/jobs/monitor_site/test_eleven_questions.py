"""The eleven questions of somebody on call at night, about a night that no test knows: see night/chosen.py.

Each is answered by pages within three clicks or by one typed line, by one line of a command, and by the API. A failure
prints the seed of its night: NIGHT_SEED=... plays it again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from random import SystemRandom
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from jobs import Result, Viewer, monitor_app
from jobs.monitor_site.application import Monitor
from tests.jobs.monitor_site.api_client import Program
from tests.jobs.monitor_site.compiled import compiled
from tests.jobs.monitor_site.night import by_api, by_command
from tests.jobs.monitor_site.night.chosen import Chosen, choose
from tests.jobs.monitor_site.night.played import Night, played
from tests.redis_server import RedisServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
WAYS = ["command", "api"]


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


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest, app: Monitor, night: Night) -> Any:
    """The eleven questions, each a function; `way` is how they are asked."""
    way: str = request.param
    module, given = {"command": (by_command, ()), "api": (by_api, (Program(app, "night"),))}[way]
    asked = {name: partial(one, *given, night) for name, one in vars(module).items() if name in QUESTIONS}
    assert sorted(asked) == sorted(QUESTIONS)
    return SimpleNamespace(way=way, **asked)


QUESTIONS = [
    "why_is_it_not_running", "what_failed_in_the_last_hour", "rerun_all_of_a_task", "which_worker_is_stuck",
    "who_paused_the_queue", "does_the_backlog_grow", "where_went_the_time", "jobs_of_a_customer", "edit_and_run_again",
    "slowest_tasks", "what_did_the_deploy_change",
]  # fmt: skip


async def test_why_a_job_is_not_running(ask: Any, night: Night) -> None:
    found = {job_id: await ask.why_is_it_not_running(job_id) for job_id in night.reasons}

    assert found == night.reasons


async def test_what_failed_in_the_last_hour_and_is_it_one_error_or_many(ask: Any, chosen: Chosen) -> None:
    errors = {(one.task, f"shop.{one.error}", one.times) for one in chosen.errors}

    assert await ask.what_failed_in_the_last_hour() == (str(len(errors)), errors)


async def test_all_failures_of_a_task_since_a_time_run_again_once(ask: Any, chosen: Chosen, night: Night) -> None:
    n = chosen.reruns[ask.way].late

    assert await ask.rerun_all_of_a_task(chosen.reruns[ask.way].failing.task) == (n, n)

    late, early = night.late[ask.way], night.early[ask.way]

    async def all_ended() -> bool:
        return await night.runs_of(late) == late

    await wait_until(all_ended, f"each of {late} to have run again once")
    assert await night.runs_of(early) == []


async def test_which_worker_is_stuck_and_on_what(ask: Any, night: Night) -> None:
    assert await ask.which_worker_is_stuck() == night.stuck


async def test_who_paused_the_queue(ask: Any, chosen: Chosen) -> None:
    assert await ask.who_paused_the_queue() == (chosen.paused, chosen.colleague)


async def test_does_the_backlog_grow_and_when_does_it_drain(ask: Any, chosen: Chosen) -> None:
    about = pytest.approx(chosen.step_jobs, rel=0.5)  # it depends on when in the minute one looks

    assert await ask.does_the_backlog_grow() == {chosen.growing: ("grows", about), chosen.draining: ("drains", about)}


async def test_where_the_time_of_a_workflow_went(ask: Any, chosen: Chosen, night: Night) -> None:
    assert await ask.where_went_the_time(night.workflow) == ("SUCCESS", chosen.steps[chosen.long_step])


async def test_all_jobs_of_a_customer(ask: Any, chosen: Chosen, night: Night) -> None:
    """Positional and by name; no other customer, and no other number."""
    assert await ask.jobs_of_a_customer(chosen.customer) == night.customer


async def test_edit_the_arguments_and_run_it_again(ask: Any, night: Night) -> None:
    new = await ask.edit_and_run_again(night.edited[ask.way], "the")

    assert new == f"{night.edited[ask.way]}~2"
    assert await Result(new, night.connection).get(timeout=10) == "order 7 of customer 0: the"


async def test_the_slowest_tasks(ask: Any, chosen: Chosen) -> None:
    """By how long a run takes, and by how long all took together."""
    found = await ask.slowest_tasks("p95"), await ask.slowest_tasks("time")

    assert found == (chosen.slowest, chosen.busiest)


async def test_what_the_deploy_has_changed(ask: Any, chosen: Chosen) -> None:
    assert await ask.what_did_the_deploy_change() == (chosen.versions[1], chosen.worse)
