"""The database engine: one writer thread with group commit, two reader threads and one for short look-ups.

``await store.write(fn)`` runs ``fn(tx)`` in the writer thread. What is queued meanwhile shares one
``BEGIN IMMEDIATE`` … ``COMMIT`` (each in a savepoint of its own), so an awaited write is on disk and a burst
pays few fsyncs. ``await store.read(fn)`` runs on a reader. On PostgreSQL the same two calls run over connections of
their own threads, and a write is a transaction of its own, which runs again when PostgreSQL ended it for another's
sake: ``fn`` must not change anything but its transaction.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import accumulate
from typing import Any, TypeVar, cast, overload

import peewee
from playhouse.pool import MaxConnectionsExceeded

from gateway.records.base import Record
from gateway.store import postgres, sqlite
from gateway.store.database_url import sqlite_file
from gateway.store.fast_reads import Glances
from gateway.store.record_shape import Shape, shape_of
from gateway.store.sealing import SEALED, Sealer, sealed_names

T = TypeVar("T")
R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Record)
U = TypeVar("U", bound=Record)
Row = dict[str, Any]

_MAX_GROUP = 200
LARGE = 1024 * 1024
"""Octets from which on a value is written by ``Tx.keep_octets``."""
_LOST = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError)


class StoreDown(Exception):
    """The database cannot be written or read now (locked, disk full, gone); try again later."""

    @property
    def disk_full(self) -> bool:
        """Whether that is for want of room on the disk (SQLITE_FULL; PostgreSQL's 53100, disk_full)."""
        text = str(self).lower()
        return "disk is full" in text or "no space left on device" in text


class NotUnique(Exception):
    """A unique value is taken already; nothing was written."""


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
    """The statements of a transaction, in the thread that runs it (see ``store.sql``)."""

    def __init__(
        self, db: Any, sealer: Sealer | None = None
    ) -> None:  # peewee's annotations stop short of strict
        self._db = db
        self._sealer = sealer
        self.postgres = not isinstance(db, peewee.SqliteDatabase)
        self.after_commit: list[Callable[[], None]] = []
        self.large = False  # a large value went through it: the connection's cache is full of its pages

    def _execute(self, query: str | peewee.Query, args: Sequence[object]) -> Any:
        if not isinstance(query, str):
            sql, params = self._db.get_sql_context().sql(query).query()
            return self._db.execute_sql(sql, params)
        if self.postgres:
            return self._db.execute_sql(_postgres_style(query), tuple(map(_without_nul, args)))
        return self._db.execute_sql(query, tuple(args))

    def lock(self, name: str) -> None:
        """Make other transactions that lock ``name`` wait for the end of this one; what they wrote is seen from here
        on. SQLite has one writer at a time anyway."""
        if self.postgres:
            self._execute("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (name,))

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


class Tx(Sql):
    """A transaction. Its statements are in ``store.queries``."""


class Store:
    """The database by URL: ``sqlite:PATH`` or ``postgresql://…`` (``connections`` of them at the most).

    ``sealer``: has the key of the secrets in it (``store.sealing``); without one they are not opened, and what is
    written stays readable until a gateway starts.
    """

    def __init__(self, url: str, connections: int = 12, sealer: Sealer | None = None) -> None:
        self.url = url
        self.sealer = sealer
        self.postgres = postgres.is_postgres(url)
        self.db: Any = postgres.open_database(url, connections + 4) if self.postgres else _open(url)
        self._queue: queue.SimpleQueue[tuple[Callable[[Tx], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        writers = max(1, connections // 2)
        readers = max(1, connections - writers) if self.postgres else 2
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._glances = Glances(at_end=self.db.close)
        self._writers = (
            ThreadPoolExecutor(writers, thread_name_prefix="store-write") if self.postgres else None
        )

    def start(self) -> None:
        """Start the writer. The schema must be there (see ``migrate``)."""
        if not self.postgres:
            self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)
            self._writer.start()

    def close(self) -> None:
        """Finish what is queued and close."""
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join()
            self._writer = None
        if self._writers is not None:
            self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._glances.close()
        self.db.close_all()

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` in a transaction and return after it is durable.

        Raises what ``work`` raises (nothing is written then), NotUnique, or StoreDown.
        """
        if self._writers is not None:
            return await asyncio.get_running_loop().run_in_executor(self._writers, self._transact, work)
        done: Future[T] = Future()
        self._queue.put((work, done))
        return await asyncio.wrap_future(done)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` on a reader. Raises what ``work`` raises, or StoreDown."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._look, work)

    async def glance(self, work: Callable[[Tx], T]) -> T:
        """``read`` for look-ups by key and short walks of an index, which do not wait behind long ones.

        On SQLite those asked at a time are answered together (``gateway.store.fast_reads``). Whatever may walk far (a
        count, a filter, a large offset) takes ``read``: it would hold up everybody.
        """
        return await (self.read(work) if self.postgres else self._glances.look(partial(self._look, work)))

    def write_now(self, work: Callable[[Tx], T]) -> T:
        """``write`` for callers without an event loop (the command line)."""
        if self.postgres:
            return self._and_give_back(self._transact, work)
        if self._writer is None:
            return self._transact(work)
        done: Future[T] = Future()
        self._queue.put((work, done))
        return done.result()

    def read_now(self, work: Callable[[Tx], T]) -> T:
        """``read`` for callers without an event loop."""
        return self._and_give_back(self._look, work) if self.postgres else self._look(work)

    def _and_give_back(self, how: Callable[[Callable[[Tx], T]], T], work: Callable[[Tx], T]) -> T:
        """A thread that is none of ours does not keep the connection."""
        try:
            return how(work)
        finally:
            self.db.close()

    def _look(self, work: Callable[[Tx], T]) -> T:
        return self._attempt(work, write=False)

    def _transact(self, work: Callable[[Tx], T]) -> T:
        return self._attempt(work, write=True)

    def _attempt(self, work: Callable[[Tx], T], *, write: bool) -> T:
        attempt = 0
        while True:
            attempt += 1
            committing = False
            try:
                self.db.connect(reuse_if_open=True)
                tx = Tx(self.db, self.sealer)
                if write:
                    with self.db.atomic():
                        answer = work(tx)
                        committing = True
                else:
                    answer = work(tx)
                break
            except peewee.IntegrityError as error:
                raise NotUnique(str(error)) from error
            except _LOST as error:
                lost = self.postgres and self._drop_lost()
                pause = None
                if self.postgres:
                    pause = postgres.pause_before(error, attempt, lost=lost, committing=committing)
                if pause is None:
                    raise StoreDown(f"database: {str(error).strip()}") from error
                time.sleep(pause)
            except MaxConnectionsExceeded as error:
                raise StoreDown("every connection to the database is taken") from error
        if tx.large:
            self._shrink()
        for call in tx.after_commit:
            call()
        return answer

    def _shrink(self) -> None:
        """Give back what this thread's connection keeps of a large value."""
        if not self.postgres:
            self.db.execute_sql("PRAGMA shrink_memory")

    def _drop_lost(self) -> bool:
        """Give up this thread's connection if it is broken; answers whether it was."""
        if not self.db.is_closed() and self.db.is_connection_usable():
            return False
        if not self.db.is_closed():
            self.db.manual_close()
        return True

    def _write_loop(self) -> None:
        self.db.connect(reuse_if_open=True)
        while True:
            first = self._queue.get()
            if first is None:
                break
            group = [first]
            last = False
            while len(group) < _MAX_GROUP:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
            self._commit_group(group)
            first, group = None, []  # they may hold large values, and the next may be long in coming
            if last:
                break
        self.db.close()

    def _commit_group(self, group: list[tuple[Callable[[Tx], Any], Future[Any]]]) -> None:
        settled: list[tuple[Future[Any], Any, BaseException | None]] = []
        calls: list[Callable[[], None]] = []
        large = False
        undo: tuple[str, ...] = ("ROLLBACK TO one", "RELEASE one")
        keep: tuple[str, ...] = ("RELEASE one",)
        if len(group) == 1:
            # nobody to protect from it; a savepoint keeps a copy of every page that a large write touches
            undo, keep = ("ROLLBACK",), ()
        try:
            self.db.execute_sql("BEGIN IMMEDIATE")
            for work, done in group:
                tx = Tx(self.db, self.sealer)
                if keep:
                    self.db.execute_sql("SAVEPOINT one")
                try:
                    answer = work(tx)
                    large = large or tx.large
                except peewee.OperationalError as error:
                    if not _in_transaction(self.db):  # disk full and the like roll everything back
                        raise
                    self._each(undo)
                    settled.append((done, None, StoreDown(str(error))))
                except BaseException as error:
                    self._each(undo)
                    if isinstance(error, peewee.IntegrityError):
                        error = NotUnique(str(error))
                    settled.append((done, None, error))
                else:
                    self._each(keep)
                    settled.append((done, answer, None))
                    calls += tx.after_commit
            if _in_transaction(self.db):
                self.db.execute_sql("COMMIT")
            if large:
                self._shrink()
        except Exception as error:
            try:
                if _in_transaction(self.db):
                    self.db.execute_sql("ROLLBACK")
            except peewee.PeeweeException:
                pass
            for _, done in group:
                _settle(done, None, StoreDown(f"database: {error}"))
            return
        for call in calls:  # first, so that who awaited the write finds it called
            call()
        for done, answer, failure in settled:
            _settle(done, answer, failure)

    def _each(self, statements: Sequence[str]) -> None:
        for one in statements:
            self.db.execute_sql(one)


def _in_transaction(db: Any) -> bool:
    return bool(cast(sqlite3.Connection, db.connection()).in_transaction)


def _settle(done: Future[Any], answer: Any, failure: BaseException | None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    if failure is None:
        done.set_result(answer)
    else:
        done.set_exception(failure)


def _open(url: str) -> Any:
    if file := sqlite_file(url):
        return sqlite.open_database(file)
    raise ValueError(f"database URL must start with sqlite: or postgresql:// (got {url.split(':', 1)[0]}:)")
