"""``DATA/key-logins``: which API keys opened which mailboxes by IMAP: lines of a key's SHA-256 and an address.

It outlives the gateway, as sessions do where systemd runs the mail server. It is a note, not a record: what is lost
with it is that such sessions end with their key. Processes of the gateway that share the directory share the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from pathlib import Path

Login = tuple[str, str]
"""(SHA-256 of the key, address)."""


class LoginFile:
    """Everything blocks, and raises OSError. ``most``: lines that are kept; the newest are."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self._most = path, most
        self._lines = 0  # of the file at the most, as far as this process knows

    def read(self) -> list[Login]:
        """What it holds, the oldest first."""
        try:
            lines = self.path.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            lines = []
        self._lines = len(lines)
        found = (line.partition(" ") for line in lines[-self._most :])
        return list(dict.fromkeys((digest, address) for digest, _, address in found if address))

    def add(self, login: Login) -> None:
        """Add a line."""
        with self._alone():
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with open(handle, "w", encoding="utf-8") as lines:
                lines.write(_line(login))
            self._lines += 1
            if self._lines > 2 * self._most:
                self._write(self.read())

    def remove(self, logins: Collection[Login]) -> None:
        """Take lines out."""
        gone = set(logins)
        with self._alone():
            self._write([login for login in self.read() if login not in gone])

    def _write(self, logins: list[Login]) -> None:
        new = self.path.with_name(f".{self.path.name}.new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as lines:
            lines.writelines(map(_line, logins))
        os.replace(new, self.path)
        self._lines = len(logins)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process of the gateway write meanwhile."""
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)


def _line(login: Login) -> str:
    return f"{login[0]} {login[1]}\n"
