"""Pages for machines: is this process alive?"""

from __future__ import annotations

from quart import Blueprint

from app.accounts import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
async def alive() -> tuple[str, dict[str, str]]:
    """The process answers; it says nothing of Redis or the database, whose failure no restart mends."""
    return "ok\n", {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
