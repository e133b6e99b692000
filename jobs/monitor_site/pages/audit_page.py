"""The audit log: who did what in the monitor, with which outcome."""

from __future__ import annotations

from typing import Any

from quart import abort
from quart.typing import ResponseReturnValue

from .. import live, model, request_args
from ..options import redis
from ..routes import blueprint


@blueprint.get("/audit")
async def audit() -> ResponseReturnValue:
    """The entries of the audit log, newest first; of one target, or by one person, alone."""
    target, who = request_args.words("target"), request_args.words("who")

    async def look() -> dict[str, Any]:
        try:
            page = await model.audit(redis(), request_args.words("cursor"), target=target, who=who)
        except ValueError:
            abort(404, "This page of the log does not exist. Start at the first page.")
        return {"page": page, "target": target, "who": who}

    return await live.page("monitor/audit.html", look)
