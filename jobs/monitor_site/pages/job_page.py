"""One job: its call, its outcome, why it has not started. Retry it, revoke it, reschedule it."""

from __future__ import annotations

import re
from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from .. import job_detail, job_timeline, live, model, request_args
from ..acting import act, job_that_runs
from ..actions import of_jobs
from ..durable_timeline import drawn
from ..model.durable_steps import count_steps
from ..options import given, redis
from ..routes import blueprint

FULL_LOG = 30_000  # Bytes: attempts.lua drops the oldest entries of a log beyond 32 KB.


@blueprint.get("/job")
async def job() -> ResponseReturnValue:
    job_id = request_args.query("id")

    async def look() -> dict[str, Any]:
        found = await job_detail.job(redis(), job_id) or request_args.not_found()
        at = await model.now(redis())
        trace = trace_url(found.call.headers.get("traceparent") if found.call else None)
        events = job_timeline.timeline_of(found.info, at, found.is_suspended) if found.info else []
        is_cut = await redis().hstrlen(redis().key.RECORD + job_id, "log") > FULL_LOG  # type: ignore[misc]
        steps = drawn(await model.steps(redis(), job_id), (found.info and found.info.finished) or at)
        n = await count_steps(redis(), job_id) if steps else 0
        return {
            "job": found,
            "steps": steps,
            "steps_count": n,
            "now": at,
            "events": events,
            "is_cut": is_cut,
            "trace_url": trace,
        }

    return await live.page("monitor/job.html", look)


def trace_url(traceparent: Any) -> str:
    """Where the trace of a W3C `traceparent` is; '' if it is none, or the host has given no trace_url."""
    match = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*", str(traceparent))
    return given().trace_url.replace("{trace_id}", match[1]) if match else ""


@blueprint.post("/job/retry")
async def retry_job() -> ResponseReturnValue:
    """Queue the job again. Redirects to the job that runs now: a new one, or the same workflow."""
    job_id = await request_args.form("id")
    return await act(*of_jobs.retry(job_id), job_that_runs(job_id))


@blueprint.post("/job/revoke")
async def revoke_job() -> ResponseReturnValue:
    job_id = await request_args.form("id")
    terminate = (await request.form).get("terminate") == "1"
    return await act(*of_jobs.revoke(job_id, terminate), url_for("monitor.job", id=job_id))


@blueprint.post("/job/reschedule")
async def reschedule_job() -> ResponseReturnValue:
    job_id = await request_args.form("id")
    typed = (await request.form).get("when", "")[:100]
    return await act(*of_jobs.reschedule(job_id, typed), url_for("monitor.job", id=job_id))
