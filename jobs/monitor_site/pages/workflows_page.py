"""The workflows by name, in pages: those called last first, or those that took longest."""

from __future__ import annotations

from typing import Any

from quart import abort
from quart.typing import ResponseReturnValue

from .. import live, request_args, workflow_list
from ..options import redis
from ..routes import blueprint

STATES = (
    ("", "All"),
    ("waiting", "Waiting"),
    ("STARTED", "Started"),
    ("SUCCESS", "Succeeded"),
    ("FAILURE", "Failed"),
    ("REVOKED", "Revoked"),
    ("ended", "Finished"),
)


@blueprint.get("/workflows")
async def workflows() -> ResponseReturnValue:
    """Those in a state, with a text in name, id or error."""
    filters = {name: request_args.words(name) for name in ("text", "state", "sort")}
    if filters["state"] not in dict(STATES):
        request_args.not_found()
    cursor, state, text = request_args.words("cursor"), filters["state"], filters["text"]
    longest = filters["sort"] == "longest"

    async def look() -> dict[str, Any]:
        try:
            page = await workflow_list.workflows(redis(), cursor, state=state, text=text, longest=longest)
        except ValueError:
            abort(404, "This page of workflows does not exist. Start at the first page.")
        return {"page": page, "filters": filters, "states": STATES, "filtered": any(filters.values())}

    return await live.page("monitor/workflows.html", look)
