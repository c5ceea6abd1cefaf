"""A transaction as the rooms above the store have it: they hand it on to ``store.queries``, and run nothing in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class _Statements(Protocol):
    """What it needs of ``store.sql.Sql``."""

    postgres: bool

    def run(self, query: str, *args: object) -> int: ...


class Tx:
    """A transaction, in the thread that runs it. Only ``store.sql`` gets at its statements.

    ``after_commit``: what is called once it is durable; nothing of it when it is not. ``postgres``: which engine.
    """

    __slots__ = ("_sql", "after_commit", "postgres")

    def __init__(self, sql: _Statements) -> None:
        self._sql = sql
        self.postgres = sql.postgres
        self.after_commit: list[Callable[[], None]] = []

    def lock(self, name: str) -> None:
        """Make other transactions that lock ``name`` wait for the end of this one; what they wrote is seen from here
        on. SQLite has one writer at a time anyway."""
        if self.postgres:
            self._sql.run("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name)
