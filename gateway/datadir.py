"""The data directory: private to its owner, with the secret that signs URLs and tokens.

One process has it for itself, or several share it, whose database is PostgreSQL (``gateway.app.roles``). The mail
server's files in it belong to one process either way.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirInUse(Exception):
    """Another Postern runs on this data directory."""


@contextmanager
def lock_data_dir(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Create ``path`` (mode 0711) if needed and hold its lock; returns it resolved. Raises DataDirInUse.

    ``shared``: other processes may hold the lock as well, if they share it too.
    """
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    if path.stat().st_uid == os.getuid():
        path.chmod(0o711)  # Postfix and Dovecot's own users pass through to their folders; files are private
    in_use = (
        f"a command or gateway that needs {path} for itself runs on it; wait for its end, or stop it"
        if shared
        else f"another Postern is running on {path}; stop it, or choose another directory with --data (several on "
        "one directory need a PostgreSQL database: set database.url)"
    )
    with _lock(path / "postern.lock", fcntl.LOCK_SH if shared else fcntl.LOCK_EX, in_use):
        yield path


@contextmanager
def lock_mail_files(path: Path) -> Iterator[None]:
    """Hold the lock of the mail server's files. Raises DataDirInUse."""
    in_use = (
        f"another process runs the mail server on {path}; leave the role mail out: "
        "--roles api,sync,outbox,events"
    )
    with _lock(path / "mail.lock", fcntl.LOCK_EX, in_use):
        yield


@contextmanager
def _lock(file: Path, how: int, in_use: str) -> Iterator[None]:
    with open(private_file(file), "w") as lock:
        for last in (False, False, True):
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
                break
            except OSError as error:
                if last:
                    raise DataDirInUse(in_use) from error
                time.sleep(0.05)  # a command that checks whether a gateway runs holds it for an instant
        yield


def private_file(path: Path) -> Path:
    """Create an empty file that only we may read, unless it exists; SQLite gives its -wal and -shm the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return path


def read_secret(path: Path) -> bytes:
    """The server's own secret (32 octets, mode 0600), made at the first start."""
    file = path / "secret"
    try:
        return bytes.fromhex(file.read_text().strip())
    except FileNotFoundError:
        pass
    value = secrets.token_bytes(32)
    temporary = path / f"secret.{secrets.token_hex(4)}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(value.hex() + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(temporary, file)  # the first of several processes makes it
    except FileExistsError:
        return bytes.fromhex(file.read_text().strip())
    finally:
        temporary.unlink()
    return value
