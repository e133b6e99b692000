"""The workflows, and one as a tree, in pages so that it stays readable with many members."""

from __future__ import annotations

import re
from typing import Any

from quart import abort
from quart.typing import ResponseReturnValue

from ... import monitor
from .. import live, request_args
from ..options import redis
from ..routes import blueprint

PATH = re.compile(r"\d{1,6}(\.\d{1,6}){0,50}")


@blueprint.get("/workflows")
async def workflows() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        try:
            return {"page": await monitor.workflows(redis(), request_args.words("cursor"))}
        except ValueError:
            abort(404, "This page of workflows does not exist. Start at the first page.")

    return await live.page("monitor/workflows.html", look)


@blueprint.get("/workflow")
async def workflow() -> ResponseReturnValue:
    """The tree, or the members of the node at `path`, from number `start` on."""
    workflow_id, path, start = (request_args.query("id"), request_args.words("path"), request_args.number("start"))
    if path and not PATH.fullmatch(path):
        request_args.not_found()

    async def look() -> dict[str, Any]:
        tree = await monitor.workflow(redis(), workflow_id, path, start) or request_args.not_found()
        found = (await monitor.find(redis(), text=workflow_id, limit=1)).rows
        row = found[0] if found and found[0].id == workflow_id else None  # its record may have expired
        return {"id": workflow_id, "tree": tree, "row": row}

    return await live.page("monitor/workflow.html", look)
