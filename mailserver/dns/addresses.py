"""The addresses by which the world reaches this machine."""

from __future__ import annotations

import ipaddress
import socket

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # RFC 5737, RFC 3849


def public_addresses(ipv4: str = "", ipv6: str = "") -> tuple[str, ...]:
    """IPv4, then IPv6: as given, else the one that this machine sends from if it is a public one.

    Behind NAT nothing is found. Sends no packet. Raises ValueError for what is no address.
    """
    found = []
    for (family, elsewhere), given in zip(_ELSEWHERE, (ipv4, ipv6), strict=True):
        if given:
            kind = ipaddress.IPv4Address if family == socket.AF_INET else ipaddress.IPv6Address
            found.append(str(kind(given)))
        elif (own := _sent_from(family, elsewhere)) is not None and ipaddress.ip_address(own).is_global:
            found.append(own)
    return tuple(found)


def _sent_from(family: socket.AddressFamily, elsewhere: str) -> str | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))  # only chooses a route
            return str(probe.getsockname()[0])
    except OSError:
        return None
