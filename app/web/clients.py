"""The client of a request, for rate limits and the log."""

from __future__ import annotations

import ipaddress

from quart import request

from app.context import site


def client_address() -> str:
    """The client's address or /64, for rate limits: see `client_networks`."""
    return client_networks()[0]


def client_networks() -> tuple[str, ...]:
    """The client and its network, for rate limits. Reads X-Forwarded-For only as far as trusted proxies wrote it.

    For an IPv6 address these are its /64, which every customer gets, and its /48, which one customer may get.
    For an IPv4 address it is only the address.
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
        # A dual-stack socket maps IPv4 clients like this. They would all be in one /64.
        return (str(address.ipv4_mapped),)
    if isinstance(address, ipaddress.IPv6Address):
        return tuple(str(ipaddress.ip_network((address, bits), strict=False)) for bits in (64, 48))
    return (str(address),)
