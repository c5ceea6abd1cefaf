"""The data directory: one owner at a time, private to it, with the secret that signs URLs and tokens."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirInUse(Exception):
    """Another Postern runs on this data directory."""


@contextmanager
def owned(path: Path) -> Iterator[Path]:
    """Create ``path`` (mode 0700) if needed and hold its lock; raises DataDirInUse if someone else does."""
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    if path.stat().st_uid == os.getuid():
        path.chmod(0o711)  # Postfix and Dovecot's own users pass through to their folders; files are private
    with open(private_file(path / "postern.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataDirInUse(
                f"another Postern is running on {path}; stop it, or choose another directory with --data"
            ) from error
        yield path


def private_file(path: Path) -> Path:
    """Make an empty file that only we may read, unless it is there; SQLite gives its -wal and -shm the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return path


def secret_of(path: Path) -> bytes:
    """The server's own secret (32 octets, mode 0600), made at the first start."""
    file = path / "secret"
    try:
        return bytes.fromhex(file.read_text().strip())
    except FileNotFoundError:
        pass
    value = secrets.token_bytes(32)
    temporary = path / "secret.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(value.hex() + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, file)
    return value
