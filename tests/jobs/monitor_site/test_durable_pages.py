"""Pages and API of jobs with steps: the steps, who waits for somebody, answers with a note, run again from a step."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import CurrentJob, JobsRedis, Result, monitor, task
from jobs.monitor_site.application import Monitor
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.api_client import Program
from tests.jobs.worker.conftest import StartWorker, start_worker
from tests.waiting import wait_until

__all__ = ["start_worker"]


async def charge(order: int) -> dict[str, Any]:
    return {"payment": order, "token": "hunter2"}


@task(name="shop.approved", bind=True)
async def approved(self: CurrentJob, order: int) -> Any:
    await self.step("charge", charge, order)
    return await self.wait_for_event("approval", timeout=86_400)


@pytest.fixture
async def waiting(connection: JobsRedis, start_worker: StartWorker) -> list[Result]:
    """Two jobs that wait for somebody."""
    await start_worker(tasks=[approved])
    results = await approved.apply_many([(7,), (8,)])

    async def wait() -> bool:
        return len(await monitor.awaiting(connection)) == 2

    await wait_until(wait, "both to wait")
    return results


async def test_pages(connection: JobsRedis, owner: Visitor, waiting: list[Result]) -> None:
    first, second = waiting
    page = await (await owner.get("/monitor/awaiting")).get_data(as_text=True)
    assert first.id in page
    assert second.id in page
    job = await (await owner.get(f"/monitor/job?id={first.id}")).get_data(as_text=True)
    assert "What it waits for" in job
    assert "it waits for the event approval since" in job
    assert "hunter2" not in job
    assert "what=run-from" not in job

    await owner.post(
        "/monitor/job/answer", page="/monitor/awaiting", id=first.id, event="approval", answer="approve",
        note="<b>as agreed", back="awaiting",
    )  # fmt: skip
    assert await first.get(timeout=10) == {"approved": True, "by": "owner", "note": "<b>as agreed"}
    await owner.get("/monitor/awaiting")
    assert owner.marks.notices == ["approved"]
    job = await (await owner.get(f"/monitor/job?id={first.id}")).get_data(as_text=True)
    assert "&lt;b&gt;as agreed" in job
    assert "<b>as agreed" not in job

    page_of = f"/monitor/job?id={second.id}"
    await owner.post("/monitor/job/event", page=page_of, id=second.id, event="approval", value="{", note="")
    await owner.get(page_of)
    assert owner.marks.notices == ["no-json"]
    await owner.post("/monitor/job/event", page=page_of, id=second.id, event="approval", value="[1]", note="why")
    assert await second.get(timeout=10) == [1]

    question = await (await owner.get(f"/monitor/ask?what=run-from&name={second.id}&step=step:charge")).get_data(
        as_text=True
    )
    assert "It keeps what was recorded before charge, and the rest of the code runs again: charge." in question
    assert "what=run-from" in await (await owner.get(page_of)).get_data(as_text=True)
    asked = await owner.post("/monitor/job/run-from", page=page_of, id=second.id, step="event:approval#1")
    assert (asked.location or "").endswith(f"{second.id}~2")
    entries = [(one.what, one.result) for one in (await monitor.audit(connection)).rows]
    assert entries == [
        ("run again from a step", f"Queued again from approval#1, as {second.id}~2."),
        ("send event approval: why", "Sent. The job goes on."),
        ("send event approval", 'The value is not JSON. Enter one like {"approved": true}.'),
        ("approve approval: <b>as agreed", "Approved."),
    ]


async def test_the_api(app: Monitor, connection: JobsRedis, waiting: list[Result]) -> None:
    program, (first, second) = Program(app, prefix="/monitor"), waiting
    rows = (await program.get("/awaiting"))["rows"]
    assert {one["job"]["id"] for one in rows} == {first.id, second.id}
    steps = (await program.get(f"/jobs/{first.id}/steps"))["rows"]
    assert [(one["field"], one["state"]) for one in steps] == [("step:charge", "done"), ("event:approval#1", "waiting")]
    [why] = (await program.get(f"/jobs/{first.id}/why"))["rows"]
    assert why["code"] == "suspended"

    await program.post(f"/jobs/{first.id}/answer", name="approval", approved=False, note="too much")
    assert await first.get(timeout=10) == {"approved": False, "by": "owner", "note": "too much"}
    await program.post(f"/jobs/{second.id}/events", name="approval", value={"n": 1})
    assert await second.get(timeout=10) == {"n": 1}
    late = await program.post(f"/jobs/{second.id}/events", name="approval")
    assert (program.status, late["error"]["code"]) == (409, "event-refused")
    again = await program.post(f"/jobs/{second.id}/run-from", step="event:approval#1")
    assert again["id"] == f"{second.id}~2"
    assert (await program.get("/jobs/nobody/steps"))["error"]["code"] == "gone"


async def test_what_waits_has_one_word_and_runs_nowhere(
    connection: JobsRedis, owner: Visitor, waiting: list[Result]
) -> None:
    [first, _], key = waiting, connection.key
    await connection.hset(key.RECORD + first.id, "attempts", 1)  # as behind an attempt that was lost
    job = await (await owner.get(f"/monitor/job?id={first.id}")).get_data(as_text=True)
    assert "Suspended: it waits without a worker" in job
    assert "attempt 1" not in job
    assert "<dt>Attempts</dt><dd>1</dd>" in job
    assert ">Approvals</h1>" in await (await owner.get("/monitor/awaiting")).get_data(as_text=True)
    rows = await (await owner.get("/monitor/jobs?q=state:suspended")).get_data(as_text=True)
    assert rows.count('data-key="') >= 2
