"""The overview: figures, charts of the last hour, and the latest failures."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from app.accounts import owner_only
from app.context import redis
from app.monitor import live
from app.monitor.blueprint import blueprint
from jobs import monitor, monitor_site

MINUTES = 60


@blueprint.get("/")
@owner_only
async def overview() -> ResponseReturnValue:
    return await live.page("monitor/overview.html", _look)


async def _look() -> dict[str, Any]:
    return {
        "now": await monitor_site.overview(redis()),
        "failures": (await monitor.find(redis(), state="FAILURE", limit=5)).rows,
    }
