"""Which Host names the site answers to, which one its redirects name, and where a request came from."""

from __future__ import annotations

import ipaddress
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
                    f"This site is at {settings.base_url}, not at the address that was asked for.",
                ),
            )


def client_address() -> str:
    """The address that asks, for rate limits: see `client_networks`."""
    return client_networks()[0]


def client_networks() -> tuple[str, ...]:
    """Who asks, and the network that they are in, for rate limits. X-Forwarded-For counts only as far as our own
    proxies wrote it.

    Of an IPv6 address that is its /64, which one customer gets, and its /48, which one customer may get; of an IPv4
    address itself alone.
    """
    client = request.scope.get("client")
    chain = [client[0] if client else "local"]
    forwarded = ",".join(request.headers.getlist("X-Forwarded-For")).split(",")
    chain += [address.strip() for address in reversed(forwarded)]
    nearest_untrusted = chain[min(site().trusted_proxies, len(chain) - 1)]
    try:
        address = ipaddress.ip_address(nearest_untrusted)
    except ValueError:
        return (chain[0],)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        # A socket for both kinds names IPv4 clients so; one /64 would hold them all.
        return (str(address.ipv4_mapped),)
    if isinstance(address, ipaddress.IPv6Address):
        return tuple(str(ipaddress.ip_network((address, bits), strict=False)) for bits in (64, 48))
    return (str(address),)
