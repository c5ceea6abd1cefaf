"""Bring the schema up to date: numbered scripts in ``migrations/``, run by playhouse under a lock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee
from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded

from gateway import __version__
from gateway.store.engine import Store, StoreDown
from gateway.store.seal_rows import seal_rows
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_DIRECTORY = Path(__file__).parent / "migrations"
LEVELS = "schema_migration"
"""The table of the migrations that a database has been through."""
_ADVISORY = 0x706F7374  # "post"


class SchemaTooNew(Exception):
    """The database was written by a newer Postern; the text says what to do."""


def migrate(store: Store) -> list[str]:
    """Apply what is missing, seal what is readable, and answer the names applied. Raises SchemaTooNew instead of
    guessing, WrongKey where the store's key is not the database's, StoreDown for a database that cannot be reached or
    has another encoding than UTF-8."""
    with _lock(store):
        runner = Runner(store.db, str(_DIRECTORY))
        known = known_levels()
        applied = set(runner.applied())
        if applied - known:
            raise SchemaTooNew(
                f"a newer Postern wrote this database (it has {', '.join(sorted(applied - known))}, which Postern "
                f"{__version__} does not know); install the newer version again, or restore the backup taken "
                "before the upgrade"
            )
        runner.up()
        seal_rows(store)
        store.db.close()
        return sorted(known - applied)


def known_levels() -> set[str]:
    """The names of the migrations that this version knows."""
    return {path.stem for path in _DIRECTORY.glob("[0-9]*.py")}


def applied_levels(tx: Tx) -> set[str]:
    """The names of the migrations that a database has been through."""
    return {row["name"] for row in sql(tx).rows(f"SELECT name FROM {LEVELS}")}  # noqa: S608


def _check_encoding(db: Any) -> None:
    """Raise StoreDown for a database that does not know what a letter is: a cluster that was made without a locale."""
    encoding = db.connection().info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreDown(
            f"the database's encoding is {encoding}, and it must be UTF8: make it anew with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


@contextmanager
def _lock(store: Store) -> Iterator[None]:
    db: Any = store.db
    if isinstance(db, peewee.SqliteDatabase):
        with open(str(db.database) + ".migrate", "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            db.connect(reuse_if_open=True)
            yield
    else:
        try:
            db.connect(reuse_if_open=True)
            _check_encoding(db)
            db.execute_sql("SET lock_timeout = 0")  # another process may migrate for minutes
            db.execute_sql("SELECT pg_advisory_lock(%s)", (_ADVISORY,))
        except (peewee.OperationalError, peewee.InterfaceError, MaxConnectionsExceeded) as error:
            raise StoreDown(f"the database cannot be reached: {str(error).strip()}") from error
        try:
            yield
        finally:
            db.connect(reuse_if_open=True)
            db.execute_sql("SELECT pg_advisory_unlock_all()")
            db.execute_sql("RESET lock_timeout")
            db.close()
