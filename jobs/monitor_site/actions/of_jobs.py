"""Retry a job, revoke it, reschedule it."""

from __future__ import annotations

from .. import model, request_args
from ..acting import Action, Outcome
from ..options import redis
from ..viewers import reader_zone
from ..web import moments
from ..web.messages import Message, Refused, WrongInput

STOP_REQUESTED = Message("stop-requested", "Stop requested.")
NO_RETRY = Message("no-retry", "Retries cancelled. The current attempt continues.")
ENDED = ("SUCCESS", "FAILURE", "REVOKED")


def retry(job_id: str) -> Action:
    """Queue it again: as a new job, or as itself if it is a workflow or has steps. The outcome has the id."""

    async def do() -> Message:
        runs = await model.retry(redis(), job_id)
        return Outcome("retried", f"Queued again as {runs}.", id=runs)

    return Action("retry", job_id, do)


def revoke(job_id: str, terminate: bool) -> Action:
    """Never start it. With *terminate* a running attempt is stopped; without, it ends, and no further one starts."""

    async def do() -> Message:
        state = await model.revoke(redis(), job_id, terminate)
        if state in (*ENDED, "UNKNOWN"):
            raise Refused("ended", "Too late: the job has already finished.")
        if state == "STARTED":
            return STOP_REQUESTED if terminate else NO_RETRY
        return Message("revoked", "Revoked. The job will not start.")

    return Action("revoke and stop" if terminate else "revoke", job_id, do)


def reschedule(job_id: str, typed: str) -> Action:
    """*typed*: the date and time, of the reader's zone unless it names one."""

    async def do() -> Message:
        eta = request_args.moment(typed)
        if eta is None:
            raise WrongInput("no-time", "Enter a date and time.")
        if not await model.reschedule(redis(), job_id, eta):
            raise Refused("not-waiting", "Too late: the job is not waiting any more.")
        return Message("moved", f"Rescheduled to {moments.spelled(eta, reader_zone())}.")

    return Action("reschedule", job_id, do)
