"""Secrets that the gateway has to use itself are encrypted in the database, under the key in ``DATA/secret``.

Which columns: ``SEALED``. ``store.sql`` seals them when they are written and opens them when they are read,
so no statement can forget it; who reads the file or a dump of the database without the key sees nothing.
Each column has a key of its own (Fernet: AES-128-CBC with HMAC-SHA256; HKDF, RFC 5869), so a value that is copied
into another column does not open.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEALED: Mapping[str, tuple[str, ...]] = {
    "webhook": ("secret", "old_secret", "headers_json"),
    "domain": ("dkim_private",),
    "dkim_key": ("private",),
}
"""Columns by table. No other table whose text somebody else chooses has a column of one of these names, but
``message.headers_json``, which is always JSON."""

COLUMNS = frozenset(name for names in SEALED.values() for name in names)
PREFIX = "sealed:1:"
_PLAIN = ("", "{}")  # says nothing


class WrongKey(Exception):
    """The database's secrets were sealed under another key; the text says what to do."""


class Sealer:
    """Seals and opens the values of ``SEALED`` with ``secret`` (octets of ``DATA/secret``). Thread-safe."""

    def __init__(self, secret: bytes) -> None:
        self._boxes = {name: box(secret, f"postern column {name}".encode()) for name in COLUMNS}
        self._open = lru_cache(maxsize=4096)(self._opened)  # each try of a delivery reads its webhook's

    def seal(self, column: str, value: Any) -> Any:
        """What is kept of a value: None and what is empty as it is. A text that looks sealed is sealed like any."""
        if not isinstance(value, str) or value in _PLAIN:
            return value
        return PREFIX + self._boxes[column].encrypt(value.encode()).decode("ascii")

    def open(self, column: str, value: Any) -> Any:
        """What ``seal`` was given; a value that is not sealed as it is. Raises WrongKey."""
        if not isinstance(value, str) or not value.startswith(PREFIX):
            return value
        return self._open(column, value)

    def _opened(self, column: str, value: str) -> str:
        try:
            return self._boxes[column].decrypt(value.removeprefix(PREFIX).encode()).decode()
        except (InvalidToken, UnicodeError):
            raise WrongKey(
                f"the secrets in the database ({column}) were sealed under another key than the one in the data "
                "directory's file `secret`: put back the file that belongs to this database (it is in every backup, "
                "beside the records)"
            ) from None


def sealed_names(names: Sequence[str]) -> list[str]:
    """Those of a row's columns that may be sealed."""
    return [name for name in names if name in COLUMNS]


def box(secret: bytes, purpose: bytes) -> Fernet:
    """What encrypts for one purpose under ``secret``."""
    derived = HKDF(SHA256(), length=32, salt=None, info=purpose).derive(secret)
    return Fernet(base64.urlsafe_b64encode(derived))
