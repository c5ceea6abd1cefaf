"""Copying the records out of a SQLite database that others read and write meanwhile (``store.sqlite_copy``)."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.store import sqlite_copy


class BackupError(Exception):
    """A backup cannot be made, does not verify, or cannot be put back; the text says why and what to do."""


def copy_records(source: Path, target: Path, lock: Path) -> dict[str, int]:
    """Copy the records of the database ``source`` into the new file ``target``; answers rows by table.

    Needs no right to write beside ``source``. ``lock`` is the file that who writes there holds. Blocks.
    Raises BackupError, OSError.
    """
    with _readable(source, lock) as uri:
        try:
            return sqlite_copy.copy_database(uri, target)
        except sqlite3.Error as error:
            raise BackupError(f"{source} cannot be copied: {error}") from error


@contextmanager
def _readable(source: Path, lock: Path) -> Iterator[str]:
    """A URI to read the database by.

    In WAL mode a reader shares memory with the writer by the file ``-shm``. When nobody has the database open that
    file is gone, and in a directory we may not write (a sandbox) we cannot make it: then the database is read as a
    file that does not change, and the gateway's lock is held so that it does not.
    """
    path = source.resolve()
    base = path.as_uri()
    if Path(f"{path}-wal").exists() or os.access(path.parent, os.W_OK):
        yield base + "?mode=ro"
        return
    with open(lock) as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"a gateway is just starting on {path.parent}; try again") from error
        yield base + "?mode=ro&immutable=1"


def check_records(path: Path) -> dict[str, int]:
    """Open a copy: every page, index and constraint is read; answers rows by table. Raises BackupError."""
    try:
        return sqlite_copy.check_copy(path)
    except sqlite3.Error as error:
        raise BackupError(f"{path.name} is damaged: {error}") from error


def levels_of(path: Path) -> list[str]:
    """The migrations a copy has been through. Raises BackupError."""
    try:
        return sqlite_copy.levels_of_copy(path)
    except sqlite3.Error as error:
        raise BackupError(f"{path.name} names no schema: {error}") from error
