"""The tasks with their last hour, one task with charts, and its limits, which the owner can change."""

from __future__ import annotations

from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from .. import chart_words, live, model, ranges, request_args, task_list
from ..acting import act
from ..actions import of_tasks
from ..model import limits
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
        by_key = [limits.declared_text(*one) for one in (await limits.families(redis(), name)).items()]
        shown: dict[str, Any] = {"task": found[0], "missing": totals.missing, "by_key": by_key}
        return shown | await chart_words.charts(within, name)

    return await live.page("monitor/task.html", look)


@blueprint.post("/task/rate")
async def change_rate() -> ResponseReturnValue:
    """Set the rate limit for all workers. It permanently overrides the one in the code."""
    name = await request_args.form("name")
    rate = (await request.form).get("rate", "").strip()[:50]
    return await act(*of_tasks.change_rate(name, rate), url_for("monitor.task", name=name))


@blueprint.get("/task/limits")
async def task_limits() -> ResponseReturnValue:
    """The limits of a task, and of the keys where most jobs wait or something is set; or of the key that was typed."""
    name, typed = request_args.query("name"), request_args.words("key")

    async def look() -> dict[str, Any]:
        declared, refusal, own = await limits.families(redis(), name), "", None
        try:
            own = await limits.limit_key(redis(), name, typed) if typed else None
        except (model.QuarqError, ValueError, TypeError) as error:
            refusal = str(error)
        found = await limits.limit_list(redis(), name, own)
        return {"name": name, "typed": typed, "refusal": refusal, "limits": found, "most": limits.MOST,
                "declared": [limits.declared_text(*one) for one in declared.items()]}  # fmt: skip

    return await live.page("monitor/limits.html", look)


@blueprint.post("/task/limit")
async def change_limit() -> ResponseReturnValue:
    """Change what counts for a task, or for a key of it, for all workers."""
    name, given = await request_args.form("name"), await request.form
    key, limit = (
        given.get(field, "").replace("\0", "").strip()[: request_args.MAX_LENGTH] for field in ("key", "limit")
    )
    return await act(*of_tasks.change_limit(name, key, limit), url_for("monitor.task_limits", name=name))
