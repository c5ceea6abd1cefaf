"""Links that open one thing for a while without a key: an HMAC over what and until when.

Token: base64url of ``kind/id/part/expires`` followed by 16 octets of HMAC-SHA256 under ``core.secret``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import dataclass

from gateway.core.errors import Forbidden

_MAC = 16


@dataclass(frozen=True, slots=True)
class Link:
    """``kind``: ``raw`` or ``file`` (of a message), ``draft`` (file of a draft). ``expires``: epoch seconds."""

    kind: str
    id: str
    part: str
    expires: int


def sign(secret: bytes, kind: str, id: str, part: str, seconds: int) -> tuple[str, int]:
    """(token, expiry in epoch seconds) of a link that works for ``seconds``."""
    expires = int(time.time()) + seconds
    return sign_until(secret, Link(kind, id, part, expires)), expires


def sign_until(secret: bytes, link: Link) -> str:
    """The token of a link that ends at a given time: the same link is the same token."""
    text = f"{link.kind}/{link.id}/{link.part}/{link.expires}".encode()
    return base64.urlsafe_b64encode(text + _mac(secret, text)).decode().rstrip("=")


def verify(secret: bytes, token: str) -> Link:
    """The link of a token. Raises Forbidden for one that was altered or has expired."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text, mac = raw[:-_MAC], raw[-_MAC:]
        # base64 has spare bits at its end: only the one spelling we gave out counts
        genuine = hmac.compare_digest(mac, _mac(secret, text)) and (
            base64.urlsafe_b64encode(raw).decode().rstrip("=") == token
        )
        if not genuine:
            raise ValueError
        kind, id, part, expires = text.decode("ascii").split("/")
        link = Link(kind, id, part, int(expires))
    except (ValueError, binascii.Error, UnicodeError):
        raise Forbidden(
            "this link was altered", code="invalid_signature", fix="ask the API for a fresh download_url"
        ) from None
    if link.expires < time.time():
        raise Forbidden(
            "this link has expired", code="link_expired", fix="ask the API for a fresh download_url"
        )
    return link


def _mac(secret: bytes, text: bytes) -> bytes:
    return hmac.digest(hashlib.sha256(b"postern download link\x00" + secret).digest(), text, "sha256")[:_MAC]
