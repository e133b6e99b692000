"""The schedules: their last and next runs. Pause, resume and forget one, or run it now."""

from __future__ import annotations

from typing import Any

from quart import current_app, redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import owner_only
from app.context import redis
from app.monitor import live, request_args
from app.monitor.acting import act
from app.monitor.blueprint import blueprint
from jobs import monitor
from jobs.monitor_site.web.messages import Message, Refused

ASKED_ELSEWHERE = {"weekly-digest": "digest.ask_run"}
"""Schedules that mail many people, with the page that asks for confirmation, on a site that has it."""


@blueprint.get("/schedules")
@owner_only
async def schedules() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"schedules": await monitor.schedules(redis())}

    return await live.page("monitor/schedules.html", look)


@blueprint.post("/schedule/pause")
@owner_only
async def pause_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")

    async def do() -> Message:
        await monitor.pause_schedule(redis(), name)
        return Message("paused", "Paused. Its runs are skipped.")

    return await act("pause schedule", name, do, url_for("monitor.schedules"))


@blueprint.post("/schedule/resume")
@owner_only
async def resume_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")

    async def do() -> Message:
        await monitor.resume_schedule(redis(), name)
        return Message("resumed", "Resumed. It runs at its next time.")

    return await act("resume schedule", name, do, url_for("monitor.schedules"))


@blueprint.post("/schedule/forget")
@owner_only
async def forget_schedule() -> ResponseReturnValue:
    """Forget a schedule that is no longer in the code. Otherwise it would be listed, and overdue, for ever."""
    name = await request_args.form("name")

    async def do() -> Message:
        if not await monitor.forget_schedule(redis(), name):
            raise Refused("in-use", "A worker declares this schedule. Remove it from the code first.")
        return Message("forgotten", "Forgotten. It reappears if a worker declares it.")

    return await act("forget schedule", name, do, url_for("monitor.schedules"))


@blueprint.post("/schedule/run")
@owner_only
async def run_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")
    question = ASKED_ELSEWHERE.get(name, "")
    if question in current_app.view_functions:
        return redirect(url_for(question), 303)

    async def do() -> Message:
        job_id = await monitor.run_schedule(redis(), name)
        return Message("run", f"Queued as {job_id}.")

    return await act("run schedule", name, do, url_for("monitor.schedules"))
