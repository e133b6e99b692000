"""What waits for somebody; events for jobs, and runs from one of their steps."""

from __future__ import annotations

from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from .. import live, model, request_args
from ..acting import act, job_that_runs
from ..actions import of_events
from ..options import redis
from ..routes import blueprint


@blueprint.get("/awaiting")
async def awaiting() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"found": await model.awaiting(redis())}

    return await live.page("monitor/awaiting.html", look)


@blueprint.post("/job/answer")
async def answer_job() -> ResponseReturnValue:
    """Approve or reject what a job waits for."""
    job_id, event, typed = await request_args.form("id"), await request_args.form("event"), await request.form
    action = of_events.answer(job_id, event, typed.get("answer") == "approve", typed.get("note", ""))
    return await act(*action, _back(typed.get("back", ""), job_id))


@blueprint.post("/job/event")
async def send_event() -> ResponseReturnValue:
    """Give a job an event with a value of its own."""
    job_id, event, typed = await request_args.form("id"), await request_args.form("event"), await request.form
    action = of_events.send_typed(job_id, event, typed.get("value", ""), typed.get("note", ""))
    return await act(*action, _back("", job_id))


@blueprint.post("/job/run-from")
async def run_job_from() -> ResponseReturnValue:
    job_id, step = await request_args.form("id"), await request_args.form("step")
    return await act(*of_events.run_from(job_id, step), job_that_runs(job_id))


def _back(page: str, job_id: str) -> str:
    return url_for("monitor.awaiting") if page == "awaiting" else url_for("monitor.job", id=job_id)
