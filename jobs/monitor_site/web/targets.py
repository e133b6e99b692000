"""The target of a request: a path, or a whole address, of which only the path counts."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypercorn.typing import HTTPScope
from quart import Quart
from quart.asgi import ASGIHTTPConnection


def protect(app: Quart) -> None:
    app.asgi_http_class = _Request


class _Request(ASGIHTTPConnection):
    """Normalises the target. Quart 0.22 answers 500 to `GET ?` and `GET http://[` before the application runs."""

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        whole: HTTPScope = {**scope, "path": path_of(scope["path"])}
        super().__init__(app, whole)


def path_of(target: str) -> str:
    """The path of a request's target; `/` if it has none."""
    if target.startswith("/"):
        return target
    try:
        return "/" + urlsplit(target).path.lstrip("/")
    except ValueError:
        return "/"
