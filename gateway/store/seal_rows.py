"""Sealing what an older version, or a copy made without the key, left readable in the database."""

from __future__ import annotations

from gateway.store.engine import Store
from gateway.store.sealing import PREFIX, SEALED
from gateway.store.sql import Sql, sql
from gateway.store.transaction import Tx

_BATCH = 500


def seal_rows(store: Store) -> int:
    """Seal every readable secret, and see that the file does not keep it; answers how many rows. For the start, while
    nobody else writes. Blocks. Raises WrongKey where what is sealed does not open, before anything is changed.
    """
    db, sealer = store.db, store.sealer
    if sealer is None:
        return 0
    with db.atomic():
        tx = Tx(Sql(db, sealer))
        _check(tx)
        done = {table: _seal_table(tx, table, columns) for table, columns in SEALED.items()}
    if store.postgres:
        for table in (name for name, rows in done.items() if rows):
            # an UPDATE leaves the old row in its page; these tables are small
            db.execute_sql(f'VACUUM FULL "{table}"')
    elif any(done.values()):
        # the pages are overwritten (``secure_delete``); the log has older ones
        db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(done.values())


def _check(tx: Tx) -> None:
    """Open one value of each column. Raises WrongKey."""
    for table, columns in SEALED.items():
        for column in columns:
            sql(tx).row(f'SELECT "{column}" FROM "{table}" WHERE "{column}" LIKE ? LIMIT 1', f"{PREFIX}%")  # noqa: S608


def _seal_table(tx: Tx, table: str, columns: tuple[str, ...]) -> int:
    key = "name" if table == "domain" else "id"
    readable = " OR ".join(f"(\"{one}\" NOT LIKE ? AND \"{one}\" NOT IN ('', '{{}}'))" for one in columns)
    names = ", ".join(f'"{one}"' for one in (key, *columns))
    count = 0
    while rows := sql(tx).rows(
        f'SELECT {names} FROM "{table}" WHERE {readable} LIMIT {_BATCH}',  # noqa: S608
        *[f"{PREFIX}%"] * len(columns),
    ):
        for row in rows:
            sql(tx).update(table, key, row.pop(key), row)
        count += len(rows)
    return count
