"""The Host names that the site accepts, and the one in its redirects."""

from __future__ import annotations

from urllib.parse import urlsplit

from quart import Quart, abort, request

from app import security_log
from app.context import site
from jobs.monitor_site.web import addresses
from jobs.monitor_site.web.messages import Message

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
FOR_MACHINES = {"/healthz", "/readyz", "/metrics"}  # probes use any address of the machine


def protect(app: Quart) -> None:
    addresses.prepare(app, app.extensions["settings"].base_url)

    @app.before_request
    async def refuse_foreign_hosts() -> None:
        if request.path not in FOR_MACHINES:
            refuse_foreign()


def refuse_foreign() -> None:
    """Refuse other Host names, so that a page whose name was rebound to this machine reads nothing."""
    settings = site()
    if addresses.name_in(request.host) not in LOOPBACK | {urlsplit(settings.base_url).hostname, settings.host}:
        security_log.note("host_refused")
        abort(400, Message("wrong-host", f"This site is at {settings.base_url}, not at the requested address."))
