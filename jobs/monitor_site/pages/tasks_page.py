"""The tasks with their last hour, and one task with charts and its rate limit, which the owner can change."""

from __future__ import annotations

from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from .. import chart_words, live, ranges, request_args, task_list
from ..acting import act
from ..actions import of_tasks
from ..options import redis
from ..routes import blueprint


@blueprint.get("/tasks")
async def tasks() -> ResponseReturnValue:
    """Every task, the one first that took most of the time, or that has most of something else."""
    within, sort = chart_words.chosen_range(), request.args.get("sort", "time")
    sort = sort if sort in task_list.SORTS else "name"

    async def look() -> dict[str, Any]:
        totals = await ranges.last_minutes(redis(), within.minutes)
        found = await task_list.tasks_with(redis(), totals.counts, sort)
        return {"tasks": found, "missing": totals.missing, "within": within.name, "sort": sort}

    return await live.page("monitor/tasks.html", look)


@blueprint.get("/task")
async def task() -> ResponseReturnValue:
    name, within = request_args.query("name"), chart_words.chosen_range()

    async def look() -> dict[str, Any]:
        totals = await ranges.last_minutes(redis(), within.minutes)
        found = [info for info in await task_list.tasks_with(redis(), totals.counts) if info.name == name]
        if not found:
            request_args.not_found()
        return {"task": found[0], "missing": totals.missing} | await chart_words.charts(within, name)

    return await live.page("monitor/task.html", look)


@blueprint.post("/task/rate")
async def change_rate() -> ResponseReturnValue:
    """Set the rate limit for all workers. It permanently overrides the one in the code."""
    name = await request_args.form("name")
    rate = (await request.form).get("rate", "").strip()[:50]
    return await act(*of_tasks.change_rate(name, rate), url_for("monitor.task", name=name))
