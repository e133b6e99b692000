"""The Host names that the site accepts, and the one in its redirects."""

from __future__ import annotations

from urllib.parse import urlsplit

from quart import Quart, abort, request
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import MapAdapter

from app import security_log
from app.context import site
from jobs.monitor_site.web.messages import Message

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
FOR_MACHINES = {"/healthz", "/readyz", "/metrics"}  # probes use any address of the machine


def protect(app: Quart) -> None:
    usual = app.create_url_adapter
    base = urlsplit(app.extensions["settings"].base_url)

    def create_url_adapter(request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Have routing redirect to BASE_URL. Quart 0.22 uses the host, port and scheme of the request, which are wrong
        behind a proxy, and answers 500 to an invalid Host.
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
        """Refuse other Host names, so that a page whose name was rebound to this machine reads nothing."""
        try:
            host = urlsplit(f"//{request.host}").hostname
        except ValueError:
            host = None
        settings = site()
        allowed = LOOPBACK | {urlsplit(settings.base_url).hostname, settings.host}
        if host not in allowed and request.path not in FOR_MACHINES:
            security_log.note("host_refused")
            abort(400, Message("wrong-host", f"This site is at {settings.base_url}, not at the requested address."))
