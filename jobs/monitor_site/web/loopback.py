"""Whether a host is this machine."""

import ipaddress


def is_loopback_address(address: str) -> bool:
    """Is it an IP address that can only mean this machine?"""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Is it a host name or an address that can only mean this machine?"""
    return host == "localhost" or is_loopback_address(host)
