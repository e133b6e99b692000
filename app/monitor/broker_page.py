"""Redis: version, memory, persistence, eviction policy, and what to fix."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from app.accounts import owner_only
from app.context import redis
from app.monitor import live
from app.monitor.blueprint import blueprint
from jobs import monitor


@blueprint.get("/broker")
@owner_only
async def broker() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"broker": await monitor.broker(redis())}

    return await live.page("monitor/broker.html", look)
