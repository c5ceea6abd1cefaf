"""Text that goes out inside a URL and comes back: signed, so that only what we wrote ourselves is believed.

Token: base64url, without padding, of the text followed by the first 16 octets of its HMAC-SHA256. The key is made of
the gateway's secret and a purpose, so a token of one purpose is worth nothing for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_MAC = 16
_MAX_TOKEN = 2000


def sign(secret: bytes, purpose: str, text: str) -> str:
    """The token of ``text``."""
    octets = text.encode()
    return _encode(octets + _mac(secret, purpose, octets))


def read(secret: bytes, purpose: str, token: str) -> str | None:
    """The text of a token; None for one that is not ours, or not of this purpose."""
    if len(token) > _MAX_TOKEN:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    octets, mac = raw[:-_MAC], raw[-_MAC:]
    # base64 has spare bits at its end: only the one spelling we gave out counts
    if not hmac.compare_digest(mac, _mac(secret, purpose, octets)) or _encode(raw) != token:
        return None
    return octets.decode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _mac(secret: bytes, purpose: str, octets: bytes) -> bytes:
    key = hashlib.sha256(f"postern {purpose}\x00".encode() + secret).digest()
    return hmac.digest(key, octets, "sha256")[:_MAC]
