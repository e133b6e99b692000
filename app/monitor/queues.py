"""The queues: how much waits, for how long; pause, resume, empty one."""

from __future__ import annotations

from typing import Any

from quart import render_template, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import owner_only
from app.context import redis
from app.monitor import asked, live
from app.monitor.acting import act
from app.monitor.blueprint import blueprint
from jobs import monitor

MOST_AT_ONCE = 20_000
"""Jobs that one press of the button ends: what takes longer than a browser waits would be cut off anywhere."""


@blueprint.get("/queues")
@owner_only
async def queues() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"queues": await monitor.queues(redis())}

    return await live.page("monitor/queues.html", look)


@blueprint.post("/queue/pause")
@owner_only
async def pause_queue() -> ResponseReturnValue:
    name = await asked.form("name")

    async def do() -> str:
        done = await monitor.pause(redis(), name)
        return "Paused: nothing more of it is started." if done else "It was paused already."

    return await act("pause queue", name, do, url_for("monitor.queues"))


@blueprint.post("/queue/resume")
@owner_only
async def resume_queue() -> ResponseReturnValue:
    name = await asked.form("name")

    async def do() -> str:
        done = await monitor.resume(redis(), name)
        return "Resumed: its jobs are started again." if done else "It was not paused."

    return await act("resume queue", name, do, url_for("monitor.queues"))


@blueprint.get("/queue/purge")
@owner_only
async def ask_purge() -> ResponseReturnValue:
    """What would be ended, and a field to type the queue's name into."""
    return await _ask(asked.query("name"))


@blueprint.post("/queue/purge")
@owner_only
async def purge_queue() -> ResponseReturnValue:
    """Ends what waits as revoked; what runs is left alone."""
    name = await asked.form("name")
    form = await request.form
    if form.get("typed", "").strip() != name:
        return await _ask(name, "That is not the name of the queue: type it to say that you mean it."), 400
    too = form.get("scheduled") == "1"

    async def do() -> str:
        found = await monitor.purgeable(redis(), [name])
        ids = found.due + (found.scheduled if too else [])
        ended = await monitor.purge(redis(), ids[:MOST_AT_ONCE])
        kept = "" if too else f" {len(found.scheduled):,} scheduled ones stay."
        more = (
            f" {len(ids) - MOST_AT_ONCE:,} more are left: empty it again." if len(ids) > MOST_AT_ONCE else ""
        )
        return f"{ended:,} job{'' if ended == 1 else 's'} ended as revoked.{more}{kept}"

    what = "purge queue, scheduled jobs too" if too else "purge queue"
    return await act(what, name, do, url_for("monitor.queues"))


async def _ask(name: str, error: str = "") -> str:
    [queue] = await monitor.queues_named(redis(), [name])
    if not queue.is_of_interest:
        asked.nowhere()
    return await render_template("monitor/purge.html", queue=queue, error=error)
