"""The addresses that an application writes: paths alone, whatever Host and scheme a request had."""

from __future__ import annotations

from urllib.parse import urlsplit

from quart import Quart
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import MapAdapter

NO_HOST = "http://localhost"


def prepare(app: Quart, base_url: str = NO_HOST) -> None:
    """Have *app* find its pages, and write addresses, without the Host of the request. *base_url* is for those that
    begin with a scheme.

    Quart 0.22 uses the host, port and scheme of the request, which are wrong behind a proxy, and answers 500 to an
    invalid Host.
    """
    usual, base = app.create_url_adapter, urlsplit(base_url)

    def create_url_adapter(request: BaseRequestWebsocket | None) -> MapAdapter | None:
        if request is None:
            return usual(None)
        return app.url_map.bind(
            base.netloc,
            script_name=request.root_path or "/",
            url_scheme=base.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode(errors="replace"),
        )

    app.create_url_adapter = create_url_adapter  # type: ignore[method-assign]
