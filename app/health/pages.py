"""Pages for machines: is this process alive, and is what it needs there?"""

from __future__ import annotations

from quart import Blueprint

from app.accounts import public
from app.health.readiness import look

PLAIN = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
async def alive() -> tuple[str, dict[str, str]]:
    """The process answers; it says nothing of Redis or the database, whose failure no restart mends."""
    return "ok\n", PLAIN


@blueprint.get("/readyz")
@public
async def ready() -> tuple[str, int, dict[str, str]]:
    """One line for each part the site needs, `ok` or what is wrong with it; 503 if any is not ok.

    Answers within 3 seconds, whatever hangs. Everybody may ask, so it names no address and no job.
    """
    parts = await look()
    text = "".join(f"{part.name}: {part.fault or 'ok'}\n" for part in parts)
    return text, 503 if any(part.fault for part in parts) else 200, PLAIN
