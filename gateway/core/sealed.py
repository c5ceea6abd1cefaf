"""Text that is kept only to be given back to whoever may have it: encrypted in the database, under ``core.secret``.

Fernet (AES-128-CBC with HMAC-SHA256) under a key derived from the secret (HKDF, RFC 5869).
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from gateway.store.sealing import box


class Unreadable(Exception):
    """It was sealed under another secret, or altered."""


def seal(secret: bytes, text: str) -> str:
    """``text``, readable only with ``secret``."""
    return _box(secret).encrypt(text.encode()).decode("ascii")


def unseal(secret: bytes, sealed: str) -> str:
    """What ``seal`` was given. Raises Unreadable."""
    try:
        return _box(secret).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("sealed under another secret, or altered") from None


@lru_cache(maxsize=4)
def _box(secret: bytes) -> Fernet:
    return box(secret, b"postern sealed text")
