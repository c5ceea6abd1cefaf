"""Whom a client is counted with where nobody has a key yet: its IPv4 address, or the /64 of its IPv6 one.

A /64 is what one customer gets, and all its addresses are one person's to use (RFC 6177).
"""

from __future__ import annotations

import ipaddress


def network_of(address: str | None) -> str:
    """The network of an IP address, as text; ``local`` for a client without one (a Unix socket)."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "local"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return str(ip)
