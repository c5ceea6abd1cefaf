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
from functools import partial
from typing import Any, TypeVar, cast

import peewee
from playhouse.pool import MaxConnectionsExceeded

from gateway.store import postgres, sqlite
from gateway.store.acting import Actor, current_actor
from gateway.store.audited_sql import AuditedSql
from gateway.store.database_url import sqlite_file
from gateway.store.fast_reads import FastReads
from gateway.store.sealing import Sealer
from gateway.store.sql import Sql, sql
from gateway.store.transaction import Tx

T = TypeVar("T")

_MAX_GROUP = 200
_Write = tuple[Callable[[Tx], Any], Future[Any], Actor | None]
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
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        writers = max(1, connections // 2)
        readers = max(1, connections - writers) if self.postgres else 2
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._fast_reads = FastReads(at_end=self.db.close)
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
        self._fast_reads.close()
        self.db.close_all()

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` in a transaction and return after it is durable.

        What it changes of ``audited_tables`` while somebody acts (``store.acting``) goes into the audit log with it.
        Raises what ``work`` raises (nothing is written then), NotUnique, or StoreDown.
        """
        actor = current_actor()
        if self._writers is not None:
            loop = asyncio.get_running_loop()
            answer: T = await loop.run_in_executor(self._writers, partial(self._transact, work, actor))
            return answer
        done: Future[T] = Future()
        self._queue.put((work, done, actor))
        return await asyncio.wrap_future(done)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` on a reader. Raises what ``work`` raises, or StoreDown."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._look, work)

    async def quick_read(self, work: Callable[[Tx], T]) -> T:
        """``read`` for look-ups by key and short walks of an index, which do not wait behind long ones.

        On SQLite those asked at a time are answered together (``gateway.store.fast_reads``). Whatever may walk far (a
        count, a filter, a large offset) takes ``read``: it would hold up everybody.
        """
        return await (self.read(work) if self.postgres else self._fast_reads.look(partial(self._look, work)))

    def write_now(self, work: Callable[[Tx], T]) -> T:
        """``write`` for callers without an event loop (the command line)."""
        actor = current_actor()
        if self.postgres:
            return self._and_give_back(lambda one: self._transact(one, actor), work)
        if self._writer is None:
            return self._transact(work, actor)
        done: Future[T] = Future()
        self._queue.put((work, done, actor))
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

    def _transact(self, work: Callable[[Tx], T], actor: Actor | None = None) -> T:
        return self._attempt(work, write=True, actor=actor)

    def _statements(self, actor: Actor | None) -> Sql:
        return Sql(self.db, self.sealer) if actor is None else AuditedSql(self.db, self.sealer, actor)

    def _attempt(self, work: Callable[[Tx], T], *, write: bool, actor: Actor | None = None) -> T:
        attempt = 0
        while True:
            attempt += 1
            committing = False
            try:
                self.db.connect(reuse_if_open=True)
                tx = Tx(self._statements(actor))
                if write:
                    with self.db.atomic():
                        answer = work(tx)
                        sql(tx).finish()
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
        if sql(tx).large:
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

    def _commit_group(self, group: list[_Write]) -> None:
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
            for work, done, actor in group:
                tx = Tx(self._statements(actor))
                if keep:
                    self.db.execute_sql("SAVEPOINT one")
                try:
                    answer = work(tx)
                    sql(tx).finish()
                    large = large or sql(tx).large
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
            for _, done, _ in group:
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
