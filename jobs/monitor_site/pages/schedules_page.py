"""The schedules: their last and next runs. Pause, resume, delete or forget one, run or backfill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quart import redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from ...errors import UnknownSchedule
from .. import live, model, request_args, viewers
from ..acting import act
from ..actions import of_schedules
from ..options import given, redis
from ..routes import blueprint

PER_PAGE = 100


@blueprint.get("/schedules")
async def schedules() -> ResponseReturnValue:
    """Those that workers declare, then the stored ones, the next one first; or those with a text in their names."""
    text, start = request_args.words("text"), request_args.number("start")

    async def look() -> dict[str, Any]:
        names, total = await model.schedule_names(redis(), text, start, PER_PAGE)
        found = await model.schedules_named(redis(), names)
        last = await model.rows_of(redis(), [schedule.last_id for schedule in found if schedule.last_id])
        following = start + len(names)
        shown = {"text": text, "total": total, "next": following if following < total else None, "per_page": PER_PAGE}
        return {"schedules": found, "jobs": {row.id: row for row in last}, "questions": given().questions, **shown}

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


@blueprint.post("/schedule/delete")
async def delete_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_schedules.delete(name), url_for("monitor.schedules"))


@blueprint.get("/schedule/backfill")
async def ask_backfill() -> ResponseReturnValue:
    """Ask for a span of time, and say for how many moments in it the schedule would run."""
    viewers.require_acting()
    name = request_args.query("name")
    if question := given().questions.get(name):
        return redirect(question, 303)
    shown: dict[str, Any] = {"schedule": await _named(name)}
    try:
        shown |= _span(request.args)
        if shown["since"] and shown["until"]:
            shown["moments"] = await model.moments_to_backfill(redis(), name, shown["since"], shown["until"])
    except ValueError as error:
        shown["error"] = str(error)
    return await render_template("monitor/backfill.html", **shown)


@blueprint.post("/schedule/backfill")
async def backfill_schedule() -> ResponseReturnValue:
    name, form = await request_args.form("name"), await request.form
    if question := given().questions.get(name):
        return redirect(question, 303)
    span = _span(form)
    if not (span["since"] and span["until"]):
        request_args.not_found()
    return await act(*of_schedules.backfill(name, **span), url_for("monitor.schedules"))


def _span(typed: Mapping[str, str]) -> dict[str, Any]:
    return {end: request_args.moment(typed.get(end, "")) for end in ("since", "until")}


async def _named(name: str) -> model.ScheduleInfo:
    try:
        return await model.get_schedule(redis(), name)
    except UnknownSchedule:
        request_args.not_found()


@blueprint.get("/schedule/run")
async def ask_run() -> ResponseReturnValue:
    """Show what a run would call, with the button that runs it."""
    viewers.require_acting()
    name = request_args.query("name")
    if question := given().questions.get(name):
        return redirect(question, 303)
    return await render_template("monitor/run.html", schedule=await _named(name))


@blueprint.post("/schedule/run")
async def run_schedule() -> ResponseReturnValue:
    name = await request_args.form("name")
    if question := given().questions.get(name):
        return redirect(question, 303)
    return await act(*of_schedules.run(name), url_for("monitor.schedules"))
