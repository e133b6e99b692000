"""The versions that workers reported, and what became slower or failed more since one of them."""

from __future__ import annotations

from typing import Any

from quart.typing import ResponseReturnValue

from .. import live, request_args, seen_versions
from ..options import redis
from ..ranges import PATIENCE_S
from ..routes import blueprint


@blueprint.get("/versions")
async def versions() -> ResponseReturnValue:
    version = request_args.words("version")

    async def look() -> dict[str, Any]:
        found = await seen_versions.compare(redis(), version, PATIENCE_S)
        if version and found is None:
            request_args.not_found()
        return {"known": await seen_versions.versions(redis()), "found": found}

    return await live.page("monitor/versions.html", look)
