"""Copying the records out of a SQLite database that others read and write meanwhile.

The copy is made by SQL from one read transaction: it is of one moment, writers do not wait for it, and rows that
were deleted do not travel. Derived tables come empty: ``postern rebuild`` fills them from the mailboxes.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.store.models import DERIVED
from gateway.store.process_models import PASSING

EMPTY = frozenset(model._meta.table_name for model in DERIVED + PASSING) | {"message_search", "row_total"}
"""Tables that a backup has without their rows: what is derived, and who runs just now."""
_SHADOW = ("message_search_",)  # what FTS5 keeps its index in
MIGRATIONS = "schema_migration"


class BackupError(Exception):
    """A backup cannot be made, does not verify, or cannot be put back; the text says why and what to do."""


def copy_records(source: Path, target: Path, lock: Path) -> dict[str, int]:
    """Copy the records of the database ``source`` into the new file ``target``; answers rows by table.

    Needs no right to write beside ``source``. ``lock`` is the file that who writes there holds. Blocks.
    Raises BackupError, OSError.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        _readable(source, lock) as uri,
        closing(sqlite3.connect(target, isolation_level=None, uri=True)) as db,
    ):
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("ATTACH DATABASE ? AS source", (uri,))
            db.execute("BEGIN")
            counts = _copy(db)
            db.execute("COMMIT")
            db.execute("DETACH DATABASE source")
        except sqlite3.Error as error:
            raise BackupError(f"{source} cannot be copied: {error}") from error
    return counts


def _copy(db: sqlite3.Connection) -> dict[str, int]:
    made = db.execute(
        "SELECT type, name, sql FROM source.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    tables = [(name, sql) for kind, name, sql in made if kind == "table" and not name.startswith(_SHADOW)]
    counts: dict[str, int] = {}
    for name, sql in tables:
        db.execute(sql)
        if name not in EMPTY:
            quoted = '"' + name.replace('"', '""') + '"'
            done = db.execute(f"INSERT INTO main.{quoted} SELECT * FROM source.{quoted}")  # noqa: S608
            counts[name] = done.rowcount
    for kind, _, sql in made:
        if kind in ("index", "trigger", "view"):
            db.execute(sql)
    return counts


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
        with closing(sqlite3.connect(path.resolve().as_uri() + "?mode=ro&immutable=1", uri=True)) as db:
            (well,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            if well != "ok":
                raise BackupError(f"{path.name} is damaged: {well}")
            rows = db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            ).fetchall()
            names = [name for (name,) in rows if name not in EMPTY and not name.startswith(_SHADOW)]
            count = 'SELECT count(*) FROM "{}"'
            return {name: db.execute(count.format(name.replace('"', '""'))).fetchone()[0] for name in names}
    except sqlite3.Error as error:
        raise BackupError(f"{path.name} is damaged: {error}") from error


def levels_of(path: Path) -> list[str]:
    """The migrations a copy has been through. Raises BackupError."""
    try:
        with closing(sqlite3.connect(path.resolve().as_uri() + "?mode=ro&immutable=1", uri=True)) as db:
            return [name for (name,) in db.execute(f"SELECT name FROM {MIGRATIONS} ORDER BY name")]  # noqa: S608
    except sqlite3.Error as error:
        raise BackupError(f"{path.name} names no schema: {error}") from error
