"""The records of a SQLite backup into PostgreSQL: the way of a server that outgrows one process."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import peewee

from gateway.backup.records import EMPTY, BackupError
from gateway.store.engine import NotUnique, Row, Store, Tx
from gateway.store.migrate import migrate
from gateway.store.models import KEPT

TABLES = tuple(model._meta.table_name for model in KEPT if model._meta.table_name not in EMPTY)


def put_into_postgresql(copied: Path, url: str) -> dict[str, int]:
    """Fill the database at ``url``, which must hold no records, from a SQLite copy of them, all or nothing; answers
    rows by table. The copy may be of an older version. Blocks. Raises BackupError, StoreDown."""
    with tempfile.TemporaryDirectory(prefix="postern-moving-") as scratch:
        current = Path(scratch, "postern.db")
        shutil.copyfile(copied, current)
        source = Store(f"sqlite:{current}")
        try:
            migrate(source)
        finally:
            source.close()
        target = Store(url)
        try:
            migrate(target)
            return target.write_now(partial(_fill, source=current))
        except NotUnique as error:
            raise BackupError(f"the records do not fit into PostgreSQL: {error}") from error
        finally:
            target.close()


def _fill(tx: Tx, source: Path) -> dict[str, int]:
    for table in TABLES:
        if tx.value(f'SELECT 1 FROM "{table}" LIMIT 1') is not None:  # noqa: S608
            raise BackupError(
                f"the PostgreSQL database is not empty (table {table}): restore into an empty one"
            )
    with closing(sqlite3.connect(source)) as db:
        counts = {table: _fill_table(tx, table, _rows(db, table)) for table in TABLES}
    for one in tx.rows(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
    ):
        table, column = one["table_name"], one["column_name"]
        last = tx.value(f'SELECT max("{column}") FROM "{table}"')  # noqa: S608
        if last is not None:
            tx.value("SELECT setval(pg_get_serial_sequence(?, ?), ?)", table, column, last)
    return counts


def _fill_table(tx: Tx, table: str, rows: Iterable[Row]) -> int:
    try:
        return sum(tx.insert(table, row) for row in rows)
    except peewee.DataError as error:  # SQLite keeps what is not of a column's type
        raise BackupError(f"a row of table {table} does not fit into PostgreSQL: {error}") from error


def _rows(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    cursor = db.execute(f'SELECT * FROM "{table}"')  # noqa: S608
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))
