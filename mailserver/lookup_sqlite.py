"""The lookup tables in one SQLite file of their own, whose readers are other programs under other users.

Postfix has no patience with a locked table: a process that meets one ends, and master(8) holds its service back for
a minute. So it is in WAL mode, where a writer never locks readers out; they may read the file and the log, and mark
their place in the shared memory. Fsynced at each change (synchronous=FULL).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mailserver.lookup_storage import SELECT_ALIASES, SELECT_DOMAINS, SELECT_MAILBOXES, Rows

_TABLES = """
CREATE TABLE IF NOT EXISTS domain (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mailbox (
    address TEXT PRIMARY KEY,
    home TEXT NOT NULL UNIQUE,
    password TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    quota INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alias (
    address TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    PRIMARY KEY (address, mailbox)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alias_mailbox ON alias (mailbox);
"""


class SqliteStorage:
    """Implements :class:`mailserver.lookup_storage.Storage`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._version = -1

    def open(self, mode: int, group: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._db is None:
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, mode))
            db = sqlite3.connect(self.path, timeout=10, check_same_thread=False, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_TABLES)
            if not any(name == "quota" for _, name, *_ in db.execute("PRAGMA table_info (mailbox)")):
                db.execute("ALTER TABLE mailbox ADD COLUMN quota INTEGER")
            self._db = db
        # the shared memory holds each reader's position in the log, so readers write it; it is no data
        self._db.execute(SELECT_DOMAINS).fetchall()
        for more, bits in (("", mode), ("-wal", mode), ("-shm", mode | (mode & 0o040) >> 1)):
            os.chmod(f"{self.path}{more}", bits)
            if group >= 0:
                os.chown(f"{self.path}{more}", -1, group)

    def close(self) -> None:
        if self._db is None:
            return
        try:
            # nobody reads it now: leave one file, that can be opened without the right to make the others.
            # Somebody does: then SQLite leaves the others too
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            pass
        self._db.close()
        self._db = None

    def rows(self) -> Rows:
        db = self._open()
        db.execute("BEGIN")
        try:
            (self._version,) = db.execute("PRAGMA data_version").fetchone()
            return Rows(
                [name for (name,) in db.execute(SELECT_DOMAINS)],
                db.execute(SELECT_MAILBOXES).fetchall(),
                db.execute(SELECT_ALIASES).fetchall(),
            )
        finally:
            db.execute("COMMIT")

    def changed(self) -> bool:
        (version,) = self._open().execute("PRAGMA data_version").fetchone()
        return bool(version != self._version)

    @contextmanager
    def change(self) -> Iterator[_Run]:
        db = self._open()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield _Run(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("lookup database is not open")
        return self._db


class _Run:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __call__(self, statement: str, values: Sequence[object]) -> int:
        return self._db.execute(statement, tuple(values)).rowcount
