"""One job: its call, its outcome, why it has not started. Retry it, revoke it, reschedule it."""

from __future__ import annotations

import re
from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from ... import monitor
from .. import job_detail, live, request_args
from ..acting import act
from ..options import given, redis
from ..routes import blueprint
from ..viewers import reader_zone
from ..web import moments
from ..web.messages import Message, Refused

STOP_REQUESTED = Message("stop-requested", "Stop requested.")
NO_RETRY = Message("no-retry", "Retries cancelled. The current attempt continues.")
ENDED = ("SUCCESS", "FAILURE", "REVOKED")


@blueprint.get("/job")
async def job() -> ResponseReturnValue:
    job_id = request_args.query("id")

    async def look() -> dict[str, Any]:
        found = await job_detail.job(redis(), job_id) or request_args.not_found()
        return {"job": found, "trace_url": trace_url(found.call.headers.get("traceparent") if found.call else None)}

    return await live.page("monitor/job.html", look)


def trace_url(traceparent: Any) -> str:
    """Where the trace of a W3C `traceparent` is; '' if it is none, or the host has given no trace_url."""
    match = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*", str(traceparent))
    return given().trace_url.replace("{trace_id}", match[1]) if match else ""


@blueprint.post("/job/retry")
async def retry_job() -> ResponseReturnValue:
    """Queue the job again. Redirects to the job that runs now: a new one, or the same workflow."""
    job_id = await request_args.form("id")
    runs = job_id

    async def do() -> Message:
        nonlocal runs
        runs = await monitor.retry(redis(), job_id)
        return Message("retried", f"Queued again as {runs}.")

    return await act("retry", job_id, do, lambda: url_for("monitor.job", id=runs))


@blueprint.post("/job/revoke")
async def revoke_job() -> ResponseReturnValue:
    """Revoke the job. With `terminate` a running attempt is stopped; without, it ends, and no further one starts."""
    job_id = await request_args.form("id")
    terminate = (await request.form).get("terminate") == "1"

    async def do() -> Message:
        state = await monitor.revoke(redis(), job_id, terminate)
        if state in (*ENDED, "UNKNOWN"):
            raise Refused("ended", "Too late: the job has already finished.")
        if state == "STARTED":
            return STOP_REQUESTED if terminate else NO_RETRY
        return Message("revoked", "Revoked. The job will not start.")

    what = "revoke and stop" if terminate else "revoke"
    return await act(what, job_id, do, url_for("monitor.job", id=job_id))


@blueprint.post("/job/reschedule")
async def reschedule_job() -> ResponseReturnValue:
    job_id = await request_args.form("id")
    typed = (await request.form).get("when", "")[:100]

    async def do() -> Message:
        eta = request_args.moment(typed)
        if eta is None:
            raise Refused("no-time", "Enter a date and time.")
        if not await monitor.reschedule(redis(), job_id, eta):
            raise Refused("not-waiting", "Too late: the job is not waiting any more.")
        return Message("moved", f"Rescheduled to {moments.spelled(eta, reader_zone())}.")

    return await act("reschedule", job_id, do, url_for("monitor.job", id=job_id))
