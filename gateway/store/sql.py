"""Running SQL in a transaction, and making records of its rows. For ``store`` alone.

::

    sql(tx).one(Inbox, "WHERE id = ?", inbox_id)             # an Inbox, or None
    sql(tx).all(Inbox, "WHERE pod_id = ? ORDER BY id", pod)  # a list of them
    sql(tx).value("SELECT count(*) FROM inbox")

Statements are written with ``?`` and work on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, TypeVar, cast, overload

import peewee

from gateway.records.base import Record
from gateway.store.record_shape import Shape, shape_of
from gateway.store.sealing import SEALED, Sealer, sealed_names
from gateway.store.transaction import Tx

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Record)
U = TypeVar("U", bound=Record)
Row = dict[str, Any]

LARGE = 1024 * 1024
"""Octets from which on a value is written by ``Sql.keep_octets``."""


def sql(tx: Tx) -> Sql:
    """What runs statements in this transaction."""
    return cast(Sql, tx._sql)


def _without_nul(value: object) -> object:
    """PostgreSQL's text holds no NUL (SQLite's does): what asks for one finds nothing."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) and "\x00" in value else value


@lru_cache(maxsize=2048)
def _postgres_style(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=64)
def _beside(kinds: tuple[type[Record], ...]) -> tuple[str, list[tuple[Shape[Any], slice]]]:
    """The columns of several kinds of records side by side, and which are whose."""
    shapes = [shape_of(kind) for kind in kinds]
    ends = list(accumulate(len(shape.names) for shape in shapes))
    parts = [slice(start, end) for start, end in zip((0, *ends[:-1]), ends, strict=True)]
    return ", ".join(shape.columns for shape in shapes), list(zip(shapes, parts, strict=True))


class Sql:
    """The statements of a transaction, in the thread that runs it."""

    def __init__(self, db: Any, sealer: Sealer | None) -> None:  # peewee's annotations stop short of strict
        self._db = db
        self._sealer = sealer
        self.postgres = not isinstance(db, peewee.SqliteDatabase)
        self.large = False  # a large value went through it: the connection's cache is full of its pages

    def finish(self) -> None:
        """Called last in a transaction, before it is committed."""

    def _execute(self, query: str | peewee.Query, args: Sequence[object]) -> Any:
        if not isinstance(query, str):
            sql, params = self._db.get_sql_context().sql(query).query()
            return self._db.execute_sql(sql, params)
        if self.postgres:
            return self._db.execute_sql(_postgres_style(query), tuple(map(_without_nul, args)))
        return self._db.execute_sql(query, tuple(args))

    def run(self, query: str | peewee.Query, *args: object) -> int:
        """Execute a statement; answers the number of rows it touched."""
        return int(self._execute(query, args).rowcount)

    def rows(self, query: str | peewee.Query, *args: object) -> list[Row]:
        """All rows as dictionaries."""
        cursor = self._execute(query, args)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if sealed := sealed_names(names):
            for row in rows:
                self._open(row, sealed)
        return rows

    def row(self, query: str | peewee.Query, *args: object) -> Row | None:
        """The first row, or None."""
        cursor = self._execute(query, args)
        one = cursor.fetchone()
        if one is None:
            return None
        row = {column[0]: value for column, value in zip(cursor.description, one, strict=True)}
        self._open(row, sealed_names(list(row)))
        return row

    def value(self, query: str | peewee.Query, *args: object) -> Any:
        """The first column of the first row, or None. A sealed column is not opened: take ``row``."""
        one = self._execute(query, args).fetchone()
        return None if one is None else one[0]

    def octets(self, query: str | peewee.Query, *args: object) -> bytes | None:
        """``value`` where it is octets, perhaps many."""
        value = self.value(query, *args)
        if value is None:
            return None
        self.large = self.large or len(value) > LARGE
        return bytes(value)

    def keep_octets(self, table: str, column: str, key: str, octets: bytes) -> None:
        """Set a column of the row whose ``id`` is ``key`` to many octets.

        SQLite gets them in pieces: a bound value is copied twice, and one copy stays with the statement.
        """
        if self.postgres:
            self.run(f'UPDATE "{table}" SET "{column}" = ? WHERE id = ?', octets, key)  # noqa: S608
            return
        self.large = True
        self.run(f'UPDATE "{table}" SET "{column}" = zeroblob(?) WHERE id = ?', len(octets), key)  # noqa: S608
        row = self.value(f'SELECT rowid FROM "{table}" WHERE id = ?', key)  # noqa: S608
        view = memoryview(octets)
        with self._db.connection().blobopen(table, column, row) as blob:
            for at in range(0, len(octets), LARGE):
                blob.write(view[at : at + LARGE])

    def one(self, kind: type[R], rest: str, *args: object) -> R | None:
        """The first record of ``SELECT … FROM its table`` and ``rest`` (``WHERE``, ``ORDER BY``), or None."""
        shape = shape_of(kind)
        found = self._execute(f"SELECT {shape.columns} FROM {kind.table} {rest}", args).fetchone()  # noqa: S608
        return None if found is None else shape.make(found, self._sealer)

    def all(self, kind: type[R], rest: str = "", *args: object, source: str | None = None) -> list[R]:
        """The records of ``SELECT … FROM its table`` and ``rest`` (``JOIN``, ``WHERE``, ``ORDER BY``, ``LIMIT``).

        ``source``: the tables of FROM, where its own is not the first.
        """
        shape = shape_of(kind)
        query = f"SELECT {shape.columns} FROM {source or kind.table} {rest}"  # noqa: S608
        return [shape.make(row, self._sealer) for row in self._execute(query, args).fetchall()]

    @overload
    def joined(self, kinds: tuple[type[R], type[S]], rest: str, *args: object) -> list[tuple[R, S]]: ...

    @overload
    def joined(
        self, kinds: tuple[type[R], type[S], type[U]], rest: str, *args: object
    ) -> list[tuple[R, S, U]]: ...

    def joined(self, kinds: tuple[type[Record], ...], rest: str, *args: object) -> list[Any]:
        """Records of several kinds in each row of ``SELECT … FROM the first one's table`` and ``rest`` (``JOIN …``).

        Of a table that a LEFT JOIN found nothing in, every field is None.
        """
        columns, parts = _beside(kinds)
        query = f"SELECT {columns} FROM {kinds[0].table} {rest}"  # noqa: S608
        return [
            tuple(shape.make(row[part], self._sealer) for shape, part in parts)
            for row in self._execute(query, args).fetchall()
        ]

    def add(self, record: Record, *, ignore: bool = False) -> int:
        """INSERT a record; ``ignore`` as in ``insert``."""
        return self.insert(record.table, shape_of(type(record)).row(record), ignore=ignore)

    def insert(self, table: str, values: Row, *, ignore: bool = False) -> int:
        """INSERT one row; with ``ignore`` a row that violates a unique index is left out (answers 0)."""
        values = self._sealed(table, values)
        columns = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" * len(values))
        tail = " ON CONFLICT DO NOTHING" if ignore else ""
        return self.run(f'INSERT INTO "{table}" ({columns}) VALUES ({marks}){tail}', *values.values())  # noqa: S608

    def update(self, table: str, key: str, value: object, changes: Row) -> int:
        """UPDATE the rows whose column ``key`` is ``value``; answers how many."""
        if not changes:
            return 0
        changes = self._sealed(table, changes)
        sets = ", ".join(f'"{name}" = ?' for name in changes)
        return self.run(f'UPDATE "{table}" SET {sets} WHERE "{key}" = ?', *changes.values(), value)  # noqa: S608

    def _sealed(self, table: str, values: Row) -> Row:
        if self._sealer is None or table not in SEALED:
            return values
        seal, columns = self._sealer.seal, SEALED[table]
        return {name: seal(name, value) if name in columns else value for name, value in values.items()}

    def _open(self, row: Row, columns: Sequence[str]) -> None:
        if self._sealer is not None:
            for name in columns:
                row[name] = self._sealer.open(name, row[name])
