"""Headers of the pages behind mailed and secret links: kept by no cache, found by no search engine."""

from __future__ import annotations

from quart import Quart, Response, request


def protect(app: Quart) -> None:
    """Add them to every answer of a route that has a token in its address. A view may set its own instead."""

    @app.after_request
    async def add_headers(response: Response) -> Response:
        if "token" in (request.view_args or {}):
            response.headers.setdefault("Cache-Control", "private, no-store")
            response.headers.setdefault("X-Robots-Tag", "noindex")
        return response
