"""The overview: figures, charts of the last hour, and the latest failures."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from ... import monitor
from .. import live, summary
from ..options import redis
from ..routes import blueprint


@blueprint.get("/")
async def overview() -> ResponseReturnValue:
    return await live.page("monitor/overview.html", _look)


async def _look() -> dict[str, Any]:
    return {
        "now": await summary.overview(redis()),
        "failures": (await monitor.find(redis(), state="FAILURE", limit=5)).rows,
    }
