"""Where a request came from, for rate limits and the log."""

from __future__ import annotations

import ipaddress

from quart import request

from app.context import site


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
