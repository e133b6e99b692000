"""The addresses that an application writes: paths alone, whatever Host and scheme a request had."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from quart import Quart, Response
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import MapAdapter

NO_HOST = "http://no-host.invalid"


def name_in(host: str) -> str:
    """The name or address in a Host header, without its port; '' for one that is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


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
            script_name=quote(request.root_path) or "/",
            url_scheme=base.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode(errors="replace"),
        )

    app.create_url_adapter = create_url_adapter  # type: ignore[method-assign]

    @app.after_request
    async def redirect_to_the_path(response: Response) -> Response:
        """Routing redirects to a whole address, such as from `/a//b` to `/a/b`."""
        whole, location = f"{base.scheme}://{base.netloc}/", response.headers.get("Location", "")
        if location.startswith(whole):
            response.headers["Location"] = "/" + location.removeprefix(whole).lstrip("/")
        return response
