"""The workflows, and one as a tree that stays readable however many members it has."""

from __future__ import annotations

import re
from typing import Any

from quart import abort
from quart.typing import ResponseReturnValue

from app.accounts import owner_only
from app.context import redis
from app.monitor import asked, live
from app.monitor.blueprint import blueprint
from jobs import monitor

PATH = re.compile(r"\d{1,6}(\.\d{1,6}){0,50}")


@blueprint.get("/workflows")
@owner_only
async def workflows() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        try:
            return {"page": await monitor.workflows(redis(), asked.words("cursor"))}
        except ValueError:
            abort(404, "This page of workflows does not exist. Start at the first page.")

    return await live.page("monitor/workflows.html", look)


@blueprint.get("/workflow")
@owner_only
async def workflow() -> ResponseReturnValue:
    """The tree, or what is below the node at `path`, from its member number `start` on."""
    workflow_id, path, start = asked.query("id"), asked.words("path"), asked.number("start")
    if path and not PATH.fullmatch(path):
        asked.nowhere()

    async def look() -> dict[str, Any]:
        tree = await monitor.workflow(redis(), workflow_id, path, start) or asked.nowhere()
        found = (await monitor.find(redis(), text=workflow_id, limit=1)).rows
        row = found[0] if found and found[0].id == workflow_id else None  # its record may have ended
        return {"id": workflow_id, "tree": tree, "row": row}

    return await live.page("monitor/workflow.html", look)
