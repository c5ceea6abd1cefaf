"""The signing keys as files, for a milter that must not need the gateway: ``DATA/dkim/DOMAIN.json``, mode 0600.

Selector and key are one file, replaced as a whole, so they always belong together. Files are read anew for each
message: a rotated key signs from the next message on. All functions block.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.mime.dkim_sign import Signing

_END = ".json"


class _Key(msgspec.Struct, frozen=True):
    selector: str
    private_key: str
    changed: tuple[str, ...] = ()


class KeyUnreadable(Exception):
    """There is no key to sign with, or it cannot be read; the text says which file and what to do."""


class KeyFiles:
    """The keys below ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, domain: str) -> Signing:
        """What mail from ``domain`` is signed with: its key, or that of its nearest parent. Raises KeyUnreadable."""
        labels = domain.split(".")
        if "/" in domain or "" in labels:
            raise KeyUnreadable(f"{domain!r} is no domain name")
        for start in range(max(1, len(labels) - 1)):
            name = ".".join(labels[start:])
            path = self._directory / f"{name}{_END}"
            try:
                key = msgspec.json.decode(path.read_bytes(), type=_Key)
            except FileNotFoundError:
                continue
            except (OSError, msgspec.MsgspecError) as error:
                raise KeyUnreadable(f"{path}: {error}; start the gateway, which writes it anew") from error
            return Signing(name, key.selector, key.private_key, key.changed)
        raise KeyUnreadable(
            f"no key of {domain} in {self._directory}: the gateway writes it when it is started"
        )

    def replace(self, keys: Iterable[Signing]) -> None:
        """Make the files those of ``keys``: write what is new or changed, remove the others. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = {
            f"{one.domain}{_END}": msgspec.json.encode(_Key(one.selector, one.private_key, one.changed))
            for one in keys
        }
        for path in self._directory.iterdir():
            if path.name not in wanted:
                if not path.name.startswith("."):  # another process of the gateway may be writing it
                    path.unlink(missing_ok=True)
            elif _content(path) == wanted[path.name]:
                del wanted[path.name]
        for name, content in wanted.items():
            self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        temporary = self._directory / f".{name}.{os.getpid()}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._directory / name)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
