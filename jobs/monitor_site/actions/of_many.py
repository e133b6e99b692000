"""Start what is planned for many jobs, stop it, go on with it."""

from __future__ import annotations

from ...errors import QuarqError
from .. import bulk_plan, bulk_start, model
from ..acting import Action, Outcome
from ..options import redis
from ..request_args import not_found
from ..reruns import reruns_of
from ..viewers import this_viewer
from ..web.messages import Message, Refused

NO_WORKER = Message("no-worker", "No worker is online that can do this. Start one, or use the command line.")
NOTHING = Message("nothing-to-do", "This plan has no job to act on.")
STOP_REQUESTED = Message("stop-requested", "Stop requested. What it has done stays done.")


async def plan_of(plan_id: str) -> bulk_plan.Plan:
    """404 if there is none of this id any more."""
    try:
        return await bulk_plan.read_plan(redis(), plan_id)
    except QuarqError:
        not_found()


async def run_of(made: bulk_plan.Plan) -> model.JobRow | None:
    """The job that carries it out; None before the start."""
    runs = await reruns_of(redis(), bulk_start.run_id(made))
    return runs[-1] if runs else None


async def start(made: bulk_plan.Plan) -> Message:
    """Have a worker do it; asked twice, it is started once. Its entry in the audit log says how far it came."""
    if not made.jobs:
        raise Refused(NOTHING.code, NOTHING)
    if not (run := await bulk_start.start(redis(), made, this_viewer().name)):
        raise Refused(NO_WORKER.code, NO_WORKER)
    return Outcome("started", "Started. It goes on when you leave this page.", id=run, jobs=made.jobs)


async def stop(made: bulk_plan.Plan) -> Action:
    """Stop the run where it is. 404 if it was not started."""
    run = await run_of(made) or not_found()

    async def do() -> Message:
        if await model.revoke(redis(), run.id, terminate=True) not in ("PENDING", "STARTED", "RETRY"):
            raise Refused("ended", "Too late: the run has already ended.")
        return STOP_REQUESTED

    return Action("stop many", run.id, do)


async def go_on(made: bulk_plan.Plan) -> Action:
    """Go on with a run that was stopped or has failed. 404 if it was not started."""
    run = await run_of(made) or not_found()

    async def do() -> Message:
        return Outcome("goes-on", "It goes on from where it was.", id=await model.retry(redis(), run.id))

    return Action("go on with many", run.id, do)
