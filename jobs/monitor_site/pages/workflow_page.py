"""One workflow: where its time went, its steps as bars on a time axis, and the members of each step in pages."""

from __future__ import annotations

import re
from typing import Any

from quart import request
from quart.typing import ResponseReturnValue

from .. import live, request_args
from ..density_band import band_of
from ..drawn_steps import PAGE
from ..options import redis
from ..routes import blueprint
from ..step_bars import bars_of
from ..workflow_drawing import drawn_workflow

PATH = re.compile(r"\d{1,6}(\.\d{1,6}){0,50}")
NONE = "-"
"""In an address: the path of the root, and the state of what was not called yet."""


@blueprint.get("/workflow")
async def workflow() -> ResponseReturnValue:
    """The whole; or a page of the members of the step at `path`, from number `start` on: all, or those in a `state`."""
    workflow_id, start = request_args.query("id"), request_args.number("start")
    path, state = (request_args.words(name) if name in request.args else None for name in ("path", "state"))
    path, state = "" if path == NONE else path, "" if state == NONE else state
    if path and not PATH.fullmatch(path):
        request_args.not_found()

    async def look() -> dict[str, Any]:
        shown = await drawn_workflow(redis(), workflow_id, path, state, start) or request_args.not_found()
        return {"shown": shown, "state": state, "bars_of": bars_of, "band_of": band_of, "per_page": PAGE}

    return await live.page("monitor/workflow.html", look)
