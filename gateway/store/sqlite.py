"""The SQLite file: how it is opened, and that all of it is closed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import peewee

_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "busy_timeout": 15000,
    "cache_size": -16384,
    "temp_store": "memory",
    "secure_delete": "on",
    "wal_autocheckpoint": 2000,
    "mmap_size": 0,  # each connection's map would count as the gateway's memory, and for ever
}


class _Connection(sqlite3.Connection):
    """One that can be referred to weakly."""


class Database(peewee.SqliteDatabase):
    """A connection for each thread, as peewee has it; ``close_all`` closes those of threads that ended, too."""

    def __init__(self, file: str, **options: Any) -> None:
        self._opened: WeakSet[_Connection] = WeakSet()
        super().__init__(file, factory=_Connection, check_same_thread=False, **options)

    def _connect(self) -> _Connection:
        connection = cast(_Connection, super()._connect())  # type: ignore[misc]
        self._opened.add(connection)
        return connection

    def close_all(self) -> None:
        """Close every connection; no other thread may be using one."""
        if not self.is_closed():
            self.close()
        for one in list(self._opened):
            one.close()


def open_database(file: Path) -> Database:
    """The database of ``file``; nothing is connected yet."""
    return Database(str(file), pragmas=_PRAGMAS, autoconnect=False)
