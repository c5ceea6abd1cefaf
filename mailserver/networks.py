"""Whom an IP address counts as. All addresses of an IPv6 /64 are one customer's to use (RFC 6177)."""

from __future__ import annotations

import ipaddress


def client_of(address: str) -> str:
    """An IPv4 address itself, or the /64 of an IPv6 one; what is no address (a Unix socket) as it is."""
    return _network(address, 64) or address


def site_of(address: str) -> str:
    """The /48 of an IPv6 address, the most that one customer has as a rule; an IPv4 address itself."""
    return _network(address, 48) or address


def network_of(address: str | None) -> str:
    """As :func:`client_of`, but ``local`` for whatever is no address."""
    return _network(address or "", 64) or "local"


def _network(address: str, prefix: int) -> str | None:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, prefix), strict=False))
    return str(ip)
