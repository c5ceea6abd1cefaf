"""How much of a hostile message is read (DESIGN §1.7). Octets, counts."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Caps of one parse. What exceeds them is left out and named in ``ParsedMessage.defects``."""

    head: int = 256 * 1024  # octets of the header block
    fields: int = 2000
    value: int = 16 * 1024  # octets of one decoded header value
    headers_total: int = 128 * 1024  # characters kept in ``ParsedMessage.headers``
    addresses: int = 2000  # per field
    references: int = 200  # first one and the last ones are kept
    depth: int = 100
    parts: int = 1000
    attachments: int = 250
    text: int = 512 * 1024  # octets of text and of html kept
    preview: int = 200  # characters


DEFAULT_LIMITS = Limits()
