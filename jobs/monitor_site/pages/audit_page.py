"""The audit log: who did what in the monitor, with which outcome."""

from __future__ import annotations

from typing import Any

from quart import abort
from quart.typing import ResponseReturnValue

from ... import monitor
from .. import live, request_args
from ..options import redis
from ..routes import blueprint


@blueprint.get("/audit")
async def audit() -> ResponseReturnValue:
    """The entries of the audit log, newest first."""

    async def look() -> dict[str, Any]:
        try:
            return {"page": await monitor.audit(redis(), request_args.words("cursor"))}
        except ValueError:
            abort(404, "This page of the log does not exist. Start at the first page.")

    return await live.page("monitor/audit.html", look)
