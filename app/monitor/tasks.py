"""The tasks: how they fared in the last hour; one of them with charts, and its rate limit to change."""

from __future__ import annotations

from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import owner_only
from app.context import redis
from app.messages import Message
from app.monitor import asked, live
from app.monitor.acting import act
from app.monitor.blueprint import blueprint
from app.monitor.overview import MINUTES
from jobs import monitor

RATE_SET = Message("rate-set", "Rate limit set to {}.")
RATE_GONE = Message("rate-gone", "Rate limit removed.")


@blueprint.get("/tasks")
@owner_only
async def tasks() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"tasks": await monitor.tasks(redis())}

    return await live.page("monitor/tasks.html", look)


@blueprint.get("/task")
@owner_only
async def task() -> ResponseReturnValue:
    name = asked.query("name")

    async def look() -> dict[str, Any]:
        found = [info for info in await monitor.tasks(redis()) if info.name == name]
        if not found:
            asked.nowhere()
        return {"task": found[0], "minutes": await monitor.minutes(redis(), MINUTES, name)}

    return await live.page("monitor/task.html", look)


@blueprint.post("/task/rate")
@owner_only
async def change_rate() -> ResponseReturnValue:
    """For all workers, for good: what the code says does not count any more."""
    name = await asked.form("name")
    rate = (await request.form).get("rate", "").strip()[:50]

    async def do() -> Message:
        await monitor.set_rate_limit(redis(), name, rate or None)
        return RATE_SET.format(rate) if rate else RATE_GONE

    return await act("change rate limit", name, do, url_for("monitor.task", name=name))
