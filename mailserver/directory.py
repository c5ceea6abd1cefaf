"""The lookup database: which domains and mailboxes there are, for Dovecot, Postfix and our receiver.

One SQLite file of its own, whose readers are other programs under other users. Postfix has no patience with a
locked table: a process that meets one ends, and master(8) holds its service back for a minute. So it is in WAL
mode, where a writer never locks readers out; they may read the file and the log, and mark their place in the shared
memory. Written by provisioning only, fsynced at each change (synchronous=FULL), never by the mail flow. All rows
are mirrored in memory, so that a lookup in the gateway costs no disk access; a writer in another process is noticed
by :meth:`Directory.refresh`.

Every method but the in-memory lookups blocks: call them in a thread.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS domain (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mailbox (
    address TEXT PRIMARY KEY,
    home TEXT NOT NULL UNIQUE,
    password TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    quota INTEGER
) WITHOUT ROWID;
"""

_MAKING = 2  # in column ``enabled``: Dovecot opens what is not 0, Postfix and people want 1
_PLAIN = re.compile(r"[a-z0-9@._-]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One row. ``home`` is a directory name; ``enabled`` is False while the mailbox is being removed, or made
    (``making``: the gateway alone can open it, no mail is accepted for it). ``quota`` is in octets of mail; None is
    the mail server's default."""

    address: str
    home: str
    password: str | None = field(repr=False)
    enabled: bool = True
    making: bool = False
    quota: int | None = None


def home_prefix(address: str) -> str:
    """The readable part of a home directory's name: one for each address, safe as a file name."""
    slug = "".join(c if _PLAIN.match(c) else "".join(f"={b:02x}" for b in c.encode()) for c in address)
    if len(slug) > 150:
        slug = slug[:110] + "=" + sha256(address.encode()).hexdigest()[:32]
    return slug.lstrip(".") + "~"


def new_home(address: str) -> str:
    """A fresh name each time, so that a lingering process of a removed mailbox never meets the new one."""
    return home_prefix(address) + secrets.token_hex(8)


class Directory:
    """The lookup tables. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._version = -1
        self._domains: frozenset[str] = frozenset()
        self._mailboxes: dict[str, Mailbox] = {}
        self._pending: list[Mailbox] = []

    def open(self, mode: int = 0o640, group: int = -1) -> None:
        """Create or open the file, give ``group`` (a gid) read access, load the rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._db is None:
                fresh = not self.path.exists()
                if fresh:
                    os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, mode))
                db = sqlite3.connect(self.path, timeout=10, check_same_thread=False, isolation_level=None)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_TABLES)
                if not any(name == "quota" for _, name, *_ in db.execute("PRAGMA table_info (mailbox)")):
                    db.execute("ALTER TABLE mailbox ADD COLUMN quota INTEGER")
                self._db = db
            self._load()
            # the shared memory holds where each reader stands in the log, so readers write it; it is no data
            for more, bits in (("", mode), ("-wal", mode), ("-shm", mode | (mode & 0o040) >> 1)):
                os.chmod(f"{self.path}{more}", bits)
                if group >= 0:
                    os.chown(f"{self.path}{more}", -1, group)

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                try:
                    # nobody reads it now: leave one file, that can be opened without the right to make the others.
                    # Somebody does: then SQLite leaves the others too
                    self._db.execute("PRAGMA busy_timeout = 0")
                    self._db.execute("PRAGMA journal_mode = DELETE")
                except sqlite3.OperationalError:
                    pass
                self._db.close()
                self._db = None

    # -- lookups, in memory -------------------------------------------------------------------------

    def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    def find(self, address: str) -> Mailbox | None:
        """The live mailbox at ``address`` (already folded), or None."""
        row = self._mailboxes.get(address)
        return row if row is not None and row.enabled else None

    def row(self, address: str) -> Mailbox | None:
        """The row at ``address``, being removed or not."""
        return self._mailboxes.get(address)

    def domains(self) -> frozenset[str]:
        return self._domains

    def mailboxes(self) -> list[Mailbox]:
        """Every row, those being removed included."""
        return list(self._mailboxes.values())

    # -- changes: committed first, then mirrored ----------------------------------------------------

    def add_domain(self, *names: str) -> None:
        with self._change() as db:
            db.executemany("INSERT OR IGNORE INTO domain VALUES (?)", [(name,) for name in names])
        self._domains |= set(names)

    def remove_domain(self, *names: str) -> None:
        with self._change() as db:
            db.executemany("DELETE FROM domain WHERE name = ?", [(name,) for name in names])
        self._domains -= set(names)

    def add_mailboxes(self, rows: list[Mailbox]) -> None:
        """Insert rows; an address that has one keeps it."""
        with self._change() as db:
            for row in rows:
                added = db.execute(
                    "INSERT OR IGNORE INTO mailbox VALUES (?, ?, ?, ?, ?)",
                    (
                        row.address,
                        row.home,
                        row.password,
                        _MAKING if row.making else int(row.enabled),
                        row.quota,
                    ),
                )
                if added.rowcount:
                    self._pending.append(row)

    def set_password(self, address: str, stored: str | None) -> None:
        with self._change() as db:
            db.execute("UPDATE mailbox SET password = ? WHERE address = ?", (stored, address))
            if (row := self._mailboxes.get(address)) is not None:
                self._pending.append(replace(row, password=stored))

    def set_quota(self, address: str, octets: int | None) -> None:
        """How much mail the mailbox may hold, from the next delivery on; None is the mail server's default."""
        with self._change() as db:
            db.execute("UPDATE mailbox SET quota = ? WHERE address = ?", (octets, address))
            if (row := self._mailboxes.get(address)) is not None:
                self._pending.append(replace(row, quota=octets))

    def enable(self, row: Mailbox) -> None:
        """From this commit on a mailbox that was being made takes mail and its person logs in."""
        with self._change() as db:
            db.execute(
                "UPDATE mailbox SET enabled = 1 WHERE address = ? AND home = ?", (row.address, row.home)
            )
            self._pending.append(replace(row, enabled=True, making=False))

    def disable(self, *addresses: str) -> None:
        """From this commit on nobody logs in and no mail is accepted; the row remembers the home."""
        with self._change() as db:
            for address in addresses:
                db.execute("UPDATE mailbox SET enabled = 0, password = NULL WHERE address = ?", (address,))
                if (row := self._mailboxes.get(address)) is not None:
                    self._pending.append(replace(row, password=None, enabled=False, making=False))

    def forget(self, *rows: Mailbox) -> None:
        """Delete rows whose mail is gone from disk."""
        with self._change() as db:
            for row in rows:
                db.execute("DELETE FROM mailbox WHERE address = ? AND home = ?", (row.address, row.home))
        for row in rows:
            held = self._mailboxes.get(row.address)
            if held is not None and held.home == row.home:
                del self._mailboxes[row.address]

    def refresh(self) -> bool:
        """Reload if another process changed the file; True if it did."""
        with self._lock:
            if self._db is None:
                return False
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return False
            self._load()
            return True

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db is None:
                raise RuntimeError("lookup database is not open")
            self._pending = []
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._mailboxes.update((row.address, row) for row in self._pending)

    def _load(self) -> None:
        assert self._db is not None
        (self._version,) = self._db.execute("PRAGMA data_version").fetchone()
        self._domains = frozenset(name for (name,) in self._db.execute("SELECT name FROM domain"))
        rows = self._db.execute("SELECT address, home, password, enabled, quota FROM mailbox")
        self._mailboxes = {
            a: Mailbox(a, home, password, on == 1, on == _MAKING, quota)
            for a, home, password, on, quota in rows
        }
