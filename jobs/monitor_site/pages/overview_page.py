"""The overview: figures, charts and errors of the last hour."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from .. import live, summary
from ..error_groups import errors
from ..options import redis
from ..routes import blueprint


@blueprint.get("/")
async def overview() -> ResponseReturnValue:
    return await live.page("monitor/overview.html", _look)


async def _look() -> dict[str, Any]:
    return {"now": await summary.overview(redis()), "errors": await errors(redis())}
