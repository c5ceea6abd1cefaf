"""People's credentials as Dovecot stores them: ``{ARGON2ID}`` (RFC 9106), verified by both of us."""

from __future__ import annotations

import nacl.exceptions
import nacl.pwhash.argon2id as argon2id

_SCHEME = "{ARGON2ID}"

# 2 passes over 19 MiB (the OWASP figure): an auth worker checks one in some 20 ms
_OPS = 2
_MEMORY = 19 * 1024 * 1024


def hash_password(password: str) -> str:
    """A salted hash with its Dovecot scheme prefix. Blocks for about 20 ms: call it in a thread."""
    return _SCHEME + argon2id.str(password.encode(), opslimit=_OPS, memlimit=_MEMORY).decode("ascii")


def verify_password(stored: str, password: bytes) -> bool:
    """Whether ``password`` is the one ``stored`` was made from. Blocks for about 20 ms."""
    if not stored.startswith(_SCHEME):
        return False
    try:
        return argon2id.verify(stored[len(_SCHEME) :].encode("ascii"), password)
    except (nacl.exceptions.InvalidkeyError, nacl.exceptions.CryptoError, ValueError):
        return False
