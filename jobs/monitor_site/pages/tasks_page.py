"""The tasks with their last hour, and one task with charts and its rate limit, which the owner can change."""

from __future__ import annotations

from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from .. import live, ranges, request_args, task_list
from ..acting import act
from ..actions import of_tasks
from ..options import redis
from ..routes import blueprint


@blueprint.get("/tasks")
async def tasks() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"tasks": await task_list.tasks(redis())}

    return await live.page("monitor/tasks.html", look)


@blueprint.get("/task")
async def task() -> ResponseReturnValue:
    name = request_args.query("name")

    async def look() -> dict[str, Any]:
        found = [info for info in await task_list.tasks(redis()) if info.name == name]
        if not found:
            request_args.not_found()
        return {"task": found[0], "minutes": await ranges.history(redis(), task=name)}

    return await live.page("monitor/task.html", look)


@blueprint.post("/task/rate")
async def change_rate() -> ResponseReturnValue:
    """Set the rate limit for all workers. It permanently overrides the one in the code."""
    name = await request_args.form("name")
    rate = (await request.form).get("rate", "").strip()[:50]
    return await act(*of_tasks.change_rate(name, rate), url_for("monitor.task", name=name))
