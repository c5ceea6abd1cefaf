"""The records of a SQLite backup into PostgreSQL: the way of a server that outgrows one process."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path

from gateway.backup.records import BackupError
from gateway.store.engine import NotUnique, Store
from gateway.store.migrate import migrate
from gateway.store.models import KEPT
from gateway.store.sqlite_copy import EMPTY, rows_of_copy
from gateway.store.table_fill import DoesNotFit, continue_numbers, fill_table, has_rows
from gateway.store.transaction import Tx

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
        if has_rows(tx, table):
            raise BackupError(
                f"the PostgreSQL database is not empty (table {table}): restore into an empty one"
            )
    counts: dict[str, int] = {}
    for table in TABLES:
        try:
            counts[table] = fill_table(tx, table, rows_of_copy(source, table))
        except DoesNotFit as error:
            raise BackupError(f"a row of table {table} does not fit into PostgreSQL: {error}") from error
    continue_numbers(tx)
    return counts
