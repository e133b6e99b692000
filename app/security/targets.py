"""What a request may ask for: a path, or a whole address whose path counts."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypercorn.typing import HTTPScope
from quart import Quart
from quart.asgi import ASGIHTTPConnection


def protect(app: Quart) -> None:
    app.asgi_http_class = _Request


class _Request(ASGIHTTPConnection):
    """In Quart 0.22 `GET ?` and `GET http://[` are faults of ours, before anything of the application is asked."""

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        whole: HTTPScope = {**scope, "path": _path(scope["path"])}
        super().__init__(app, whole)


def _path(asked: str) -> str:
    if asked.startswith("/"):
        return asked
    try:
        return "/" + urlsplit(asked).path.lstrip("/")
    except ValueError:
        return "/"
