"""Redis: version, memory, persistence, eviction policy, and what to fix."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from .. import live, model
from ..options import redis
from ..routes import blueprint


@blueprint.get("/broker")
async def broker() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"broker": await model.broker(redis())}

    return await live.page("monitor/broker.html", look)
