"""Pause, resume, delete and forget a schedule, run it now, or for moments that have passed."""

from __future__ import annotations

from datetime import datetime

from ...values.short_text import count, time_text
from .. import model
from ..acting import Action, Outcome
from ..options import redis
from ..web.messages import Message, Refused


def pause(name: str) -> Action:
    async def do() -> Message:
        await model.pause_schedule(redis(), name)
        return Message("paused", "Paused. Its runs are skipped.")

    return Action("pause schedule", name, do)


def resume(name: str) -> Action:
    async def do() -> Message:
        await model.resume_schedule(redis(), name)
        return Message("resumed", "Resumed. It runs at its next time.")

    return Action("resume schedule", name, do)


def forget(name: str) -> Action:
    """Forget a schedule that is no longer in the code. Otherwise it would be listed, and overdue, for ever."""

    async def do() -> Message:
        if not await model.forget_schedule(redis(), name):
            raise Refused("in-use", "A worker declares this schedule. Remove it from the code first.")
        return Message("forgotten", "Forgotten. It reappears if a worker declares it.")

    return Action("forget schedule", name, do)


def delete(name: str) -> Action:
    """Delete a stored one. What it has called stays."""

    async def do() -> Message:
        if not await model.delete_schedule(redis(), name):
            await model.get_schedule(redis(), name)  # which says that there is none
        return Message("deleted", "Deleted. Its jobs stay.")

    return Action("delete schedule", name, do)


def backfill(name: str, since: datetime, until: datetime) -> Action:
    """Run it now for each moment in that span for which it has not run."""

    async def do() -> Message:
        made = await model.backfill_schedule(redis(), name, since, until)
        span = f"from {time_text(since)} to {time_text(until)}"
        return Outcome("backfilled", f"Queued {count(len(made), 'job')} for moments {span}.", jobs=len(made))

    return Action("backfill schedule", name, do)


def run(name: str) -> Action:
    async def do() -> Message:
        job_id = await model.run_schedule(redis(), name)
        return Outcome("run", f"Queued as {job_id}.", id=job_id)

    return Action("run schedule", name, do)
