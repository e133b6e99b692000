"""The workflows of the JSON API: the same as the pages show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobs import chord
from jobs.client.connection import JobsRedis
from jobs.monitor_site import timeline
from tests.jobs.monitor.conftest import Reach, as_documented, connection, reach, start_process, start_worker
from tests.jobs.monitor_site.api_client import Program, app_for_tests
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker

__all__ = ["as_documented", "connection", "reach", "start_process", "start_worker"]


@pytest.fixture
async def program(redis_url: str) -> AsyncIterator[Program]:
    app = app_for_tests(redis_url)
    yield Program(app)
    await app.close()


async def test_where_the_time_of_a_workflow_went(
    connection: JobsRedis, start_worker: StartWorker, program: Program, reach: Reach
) -> None:
    await start_worker(max_jobs=100)
    members = [tasks.fail.si("no luck") if n in (60, 90) else tasks.log.si(n) for n in range(120)]
    flow = await chord(members, tasks.log.s()).delay()
    await reach(flow, "FAILURE")
    other = await (tasks.log.si(1) | tasks.log.si(2)).delay()
    await reach(other, "SUCCESS")

    rows = (await program.get("/workflows", text="tests.fail", state="FAILURE"))["rows"]
    assert [(row["id"], row["name"]) for row in rows] == [(flow.id, "chord of 120: tests.log, tests.fail → tests.log")]
    assert [row["id"] for row in (await program.get("/workflows", limit=1))["rows"]] == [other.id]
    assert len((await program.get("/workflows", longest="true"))["rows"]) == 2

    found, known = await program.get(f"/workflows/{flow.id}"), await timeline(connection, flow.id)
    assert known
    assert (found["sentence"], found["seconds"]) == (known.sentence, known.seconds)
    assert sum(part["seconds"] for part in found["parts"]) == pytest.approx(known.seconds, abs=1e-3)
    assert found["states"] == {"SUCCESS": 118, "FAILURE": 2, "SKIPPED": 1}
    assert {"0.60", "0.90"} < {step["path"] for step in found["steps"]}
    assert len(found["steps"]) == 8  # the chord, its group, five members of that, the body
    failed = await program.get(f"/workflows/{flow.id}/members?path=0&state=FAILURE")
    assert ({step["path"] for step in failed["steps"]}, failed["size"]) == ({"0.60", "0.90"}, 2)
    last = await program.get(f"/workflows/{flow.id}/members?path=0&start=100")
    assert (len(last["steps"]), last["states"]) == (20, {"SUCCESS": 118, "FAILURE": 2})
    for path, status in (
        ("/workflows?state=odd", 400), ("/workflows?cursor=x", 400), ("/workflows?limit=0", 400),
        ("/workflows/nobody", 404), (f"/workflows/{flow.id}/members?path=7", 404),
        (f"/workflows/{flow.id}/members?path=x", 404), (f"/workflows/{flow.id}/members?start=-1", 400),
    ):  # fmt: skip
        await program.get(path)
        assert program.status == status, path
