"""The time zone of a browser whose viewer has none."""

from __future__ import annotations

from quart import request, session
from quart.typing import ResponseReturnValue

from ..routes import blueprint
from ..viewer import zone_of
from ..viewers import for_readers


@blueprint.post("/zone")
@for_readers
async def choose_zone() -> ResponseReturnValue:
    """Remember the browser's zone in its cookie. monitor.js sends it, and opens the page anew."""
    if zone := zone_of((await request.form).get("timezone", "")):
        session["zone"] = zone.key
    return "", 204
