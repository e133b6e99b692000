"""The health pages for machines: is this process alive, and are its dependencies available?"""

from __future__ import annotations

from quart import Blueprint

from app.accounts import public
from app.health.readiness import check

PLAIN = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
async def alive() -> tuple[str, dict[str, str]]:
    """Answers while the process lives. Does not check Redis or the database, because a restart does not fix them."""
    return "ok\n", PLAIN


@blueprint.get("/readyz")
@public
async def ready() -> tuple[str, int, dict[str, str]]:
    """One line for each part that the site needs: `ok` or its fault. Status 503 if any part has a fault.

    Answers within 3 seconds, even if a part hangs. It is public, so it names no address and no job.
    """
    parts = await check()
    text = "".join(f"{part.name}: {part.fault or 'ok'}\n" for part in parts)
    return text, 503 if any(part.fault for part in parts) else 200, PLAIN
