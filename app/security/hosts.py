"""Which Host names the site answers to, and which one its redirects name."""

from __future__ import annotations

from urllib.parse import urlsplit

from quart import Quart, abort, request
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import MapAdapter

from app import security_log
from app.context import site
from app.messages import Message

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
FOR_MACHINES = {"/healthz", "/readyz", "/metrics"}  # probes ask by whatever address they know


def protect(app: Quart) -> None:
    usual = app.create_url_adapter
    base = urlsplit(app.extensions["settings"].base_url)

    def create_url_adapter(request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Routing redirects to BASE_URL. Quart 0.22 would take host, port and scheme of the request, which behind a
        proxy are another's, and answers 500 where Host is no name.
        """
        if request is None:
            return usual(None)
        return app.url_map.bind(
            base.netloc,
            url_scheme=base.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode(errors="replace"),
        )

    app.create_url_adapter = create_url_adapter  # type: ignore[method-assign]

    @app.before_request
    async def refuse_foreign_hosts() -> None:
        """A page of another site whose name is made to point at this machine must not read anything here."""
        try:
            host = urlsplit(f"//{request.host}").hostname
        except ValueError:
            host = None
        settings = site()
        allowed = LOOPBACK | {urlsplit(settings.base_url).hostname, settings.host}
        if host not in allowed and request.path not in FOR_MACHINES:
            security_log.note("host_refused")
            abort(
                400,
                Message(
                    "wrong-host",
                    f"This site is at {settings.base_url}, not at the requested address.",
                ),
            )
