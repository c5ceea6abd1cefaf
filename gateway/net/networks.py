"""Whom a client is counted with where nobody has a key yet."""

from __future__ import annotations

from mailserver.networks import client_of


def network_of(address: str | None) -> str:
    """The IPv4 address or the IPv6 /64 of a client; ``local`` for one without an address (a Unix socket)."""
    return client_of(address or "local")
