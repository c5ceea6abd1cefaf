"""The address that the gateway's own IMAP connections come from, so that Dovecot can tell them from people's.

All of 127.0.0.0/8 is this machine's on Linux. Dovecot counts connections by mailbox and address: with an address of
its own the gateway is not counted together with a person on the same machine, or behind a proxy on it, and no limit
for people holds it up.
"""

from __future__ import annotations

import imaplib
import socket

OWN_ADDRESS = "127.80.79.83"


def source_for(host: str) -> tuple[str, int] | None:
    """Where a connection to ``host`` is to come from; None: wherever the kernel says."""
    return (OWN_ADDRESS, 0) if host == "localhost" or host.startswith("127.") else None


def rendered_address(gateway_host: str) -> str:
    """Whence Dovecot, which the gateway reaches at ``gateway_host``, sees it come: an address that only this machine
    can have."""
    return OWN_ADDRESS if source_for(gateway_host) else gateway_host


class OwnImap(imaplib.IMAP4):
    """imaplib's client over a connection from there."""

    def __init__(self, host: str, port: int, timeout: float | None) -> None:
        super().__init__(host, port, timeout=timeout)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, source_address=source_for(self.host))
