"""``DATA/server.key``: one secret, and the passwords made from it.

They are stable, because daemons that others run read them from files that are written once, and each of those who
need one (the gateway, the rendering of Dovecot's configuration) makes it for himself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mailserver.base import MailServerError


@dataclass(frozen=True, slots=True)
class ServerKey:
    """The secret itself. Made by :func:`server_key`."""

    value: bytes = field(repr=False)

    @property
    def master(self) -> str:
        """The gateway's password at Dovecot, for every mailbox."""
        return self._derived("master").hex()

    @property
    def submit(self) -> str:
        """The gateway's password at Postfix's submission listener."""
        return self._derived("submit").hex()

    @property
    def doorbell(self) -> str:
        """The path that Dovecot posts notifications to, which it alone knows."""
        return self._derived("doorbell").hex()

    def sent_token(self, address: str) -> str:
        """What only the gateway can name a mailbox's Sent folder by; fit for a local part."""
        return base64.b32encode(self._derived(f"sent:{address}")[:15]).decode("ascii").lower()

    def _derived(self, purpose: str) -> bytes:
        return hmac.new(self.value, purpose.encode(), hashlib.sha256).digest()


def server_key(path: Path) -> ServerKey:
    """Read the key at ``path``; make it, whole or not at all, where there is none. Blocks.

    It belongs to the owner of its directory, whoever makes it. Raises MailServerError for one that cannot be used.
    """
    if not path.exists():
        _make(path)
    try:
        value = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise MailServerError(f"{path} cannot be read: {error}; run the command as its owner") from error
    if len(value) != 32:
        raise MailServerError(
            f"{path} is damaged (64 hexadecimal digits are wanted): restore it from a backup"
        )
    return ServerKey(value)


def _make(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)
    try:
        os.link(fresh, path)  # two may come at once: the gateway, and the rendering before Dovecot's start
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
