"""The schedules: their last and next runs. Pause, resume and forget one, or run it now."""

from __future__ import annotations

from typing import Any

from quart import redirect, render_template, url_for
from quart.typing import ResponseReturnValue

from .. import live, model, request_args, viewers
from ..acting import act
from ..actions import of_schedules
from ..options import given, redis
from ..routes import blueprint


@blueprint.get("/schedules")
async def schedules() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        found = await model.schedules(redis())
        last = await model.rows_of(redis(), [schedule.last_id for schedule in found if schedule.last_id])
        return {"schedules": found, "jobs": {row.id: row for row in last}, "questions": given().questions}

    return await live.page("monitor/schedules.html", look)


@blueprint.post("/schedule/pause")
async def pause_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_schedules.pause(name), url_for("monitor.schedules"))


@blueprint.post("/schedule/resume")
async def resume_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_schedules.resume(name), url_for("monitor.schedules"))


@blueprint.post("/schedule/forget")
async def forget_schedule() -> ResponseReturnValue:
    """Forget a schedule that is no longer in the code. Otherwise it would be listed, and overdue, for ever."""
    name = await request_args.form("name")
    return await act(*of_schedules.forget(name), url_for("monitor.schedules"))


@blueprint.get("/schedule/run")
async def ask_run() -> ResponseReturnValue:
    """Show what a run would call, with the button that runs it."""
    viewers.require_acting()
    name = request_args.query("name")
    if question := given().questions.get(name):
        return redirect(question, 303)
    [*found] = (one for one in await model.schedules(redis()) if one.name == name)
    return await render_template("monitor/run.html", schedule=found[0] if found else request_args.not_found())


@blueprint.post("/schedule/run")
async def run_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")
    if question := given().questions.get(name):
        return redirect(question, 303)
    return await act(*of_schedules.run(name), url_for("monitor.schedules"))
