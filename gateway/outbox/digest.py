"""The digest that pins a held message: what a person approved is exactly what leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest_of(mail_from: str, people: Iterable[tuple[str, str]], mime: bytes) -> str:
    """Hex SHA-256 over the envelope and the octets of a message.

    ``people``: (address, role) of its recipients, in any order, without the copy for the Sent folder, whose address is
    the mail server's own.
    """
    digest = hashlib.sha256()
    for part in (mail_from, *sorted(f"{role} {address}" for address, role in people)):
        octets = part.encode("utf-8", "surrogateescape")
        digest.update(len(octets).to_bytes(8) + octets)  # its length, so that no part runs into the next
    digest.update((0).to_bytes(8))
    digest.update(mime)
    return digest.hexdigest()
