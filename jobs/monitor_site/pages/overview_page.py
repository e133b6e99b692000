"""The overview: figures, charts of the last hour, and its errors."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from .. import live, shell
from ..routes import blueprint


@blueprint.get("/")
async def overview() -> ResponseReturnValue:
    return await live.page("monitor/overview.html", _look)


async def _look() -> dict[str, Any]:
    reading = await shell.reading()
    return {"now": reading.overview, "errors": reading.errors}
