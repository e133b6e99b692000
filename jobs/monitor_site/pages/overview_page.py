"""The overview: figures of this moment, queues, errors, and charts."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from .. import chart_words, live, shell
from ..ranges import HOUR
from ..routes import blueprint


@blueprint.get("/")
async def overview() -> ResponseReturnValue:
    within = chart_words.chosen_range()

    async def look() -> dict[str, Any]:
        reading = await shell.reading()
        known = list(reading.overview.minutes) if within == HOUR else None
        return {"now": reading.overview, "errors": reading.errors} | await chart_words.charts(within, intervals=known)

    return await live.page("monitor/overview.html", look)
