"""Many jobs at once: which action for which jobs, then the plan as the question, then how far its run is."""

from __future__ import annotations

from typing import Any

from quart import redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from ...errors import QuarqError
from .. import bulk_plan, bulk_start, live, model, request_args, viewers
from ..acting import act
from ..actions import of_many
from ..options import redis
from ..query import parse
from ..routes import blueprint
from ..viewers import reader_zone
from ..web.messages import Message, Refused, notify

ACTIONS = {
    "retry": "Run again",
    "revoke": "Revoke",
    "terminate": "Revoke, and stop those that run",
    "move": "Move to another queue",
    "purge": "Purge: revoke those that wait",
}
MOST_IDS = 500


@blueprint.get("/many")
async def many() -> ResponseReturnValue:
    """Choose an action and a query."""
    viewers.require_acting()
    return await _form({name: request_args.words(name) for name in ("action", "where", "queue", "rate")})


@blueprint.post("/many/plan")
async def make_plan() -> ResponseReturnValue:
    """Count what would be done, and show it as a question. Changes no job."""
    form = await request.form
    typed = {name: form.get(name, "").strip()[:512] for name in ("action", "where", "queue", "rate")}
    ids = [one for one in form.getlist("id") if one and one.isprintable() and len(one) <= request_args.MAX_LENGTH]
    try:
        wanted = ids[:MOST_IDS] or parse(typed["where"])
        made = await bulk_plan.plan(
            redis(), typed["action"], wanted, zone=reader_zone(), queue=typed["queue"], rate=typed["rate"]
        )
    except (QuarqError, ValueError) as error:
        return await _form(typed, Message("no-plan", str(error)), ids), 400
    return redirect(url_for("monitor.plan", id=made.id), 303)


@blueprint.get("/many/plan")
async def plan() -> ResponseReturnValue:
    """The plan with its button; once it is started, how far it is."""
    plan_id = request_args.query("id")

    async def look() -> dict[str, Any]:
        made = await of_many.plan_of(plan_id)
        run = await of_many.run_of(made)
        queue = "" if run else await bulk_start.queue_for_runs(redis())
        return {"plan": made, "run": run, "queue": queue, "labels": ACTIONS}

    return await live.page("monitor/plan.html", look)


@blueprint.post("/many/start")
async def start_plan() -> ResponseReturnValue:
    """Have a worker do it. Pressed twice, it is started once."""
    made = await of_many.plan_of(await request_args.form("id"))
    try:
        await notify(await of_many.start(made))
    except Refused as error:
        await notify(error.message, "error")
    return redirect(url_for("monitor.plan", id=made.id), 303)


@blueprint.post("/many/stop")
async def stop_plan() -> ResponseReturnValue:
    """Stop the run where it is."""
    made = await of_many.plan_of(await request_args.form("id"))
    return await act(*await of_many.stop(made), url_for("monitor.plan", id=made.id))


@blueprint.post("/many/go-on")
async def continue_plan() -> ResponseReturnValue:
    """Go on with a run that was stopped or has failed."""
    made = await of_many.plan_of(await request_args.form("id"))
    return await act(*await of_many.go_on(made), url_for("monitor.plan", id=made.id))


async def _form(typed: dict[str, str], error: Message | None = None, ids: list[str] | None = None) -> str:
    queues = await model.queue_names(redis())
    return await render_template(
        "monitor/many.html", typed=typed, error=error, ids=ids or [], actions=ACTIONS, queues=queues[:200]
    )
