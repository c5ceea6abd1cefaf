"""Filling the empty tables of a PostgreSQL database with rows from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import peewee

from gateway.store.sql import sql
from gateway.store.transaction import Tx


class DoesNotFit(Exception):
    """PostgreSQL does not take a value: SQLite keeps also what is not of a column's type."""


def has_rows(tx: Tx, table: str) -> bool:
    """Whether a table has a row."""
    return sql(tx).value(f'SELECT 1 FROM "{table}" LIMIT 1') is not None  # noqa: S608


def fill_table(tx: Tx, table: str, rows: Iterable[dict[str, Any]]) -> int:
    """Put rows into a table; returns how many. Raises DoesNotFit, and NotUnique at the end of the transaction."""
    try:
        return sum(sql(tx).insert(table, row) for row in rows)
    except peewee.DataError as error:
        raise DoesNotFit(str(error)) from error


def continue_numbers(tx: Tx) -> None:
    """Let the numbers that PostgreSQL gives to new rows go on after those there are."""
    for column_of in sql(tx).rows(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
    ):
        table, column = column_of["table_name"], column_of["column_name"]
        last = sql(tx).value(f'SELECT max("{column}") FROM "{table}"')  # noqa: S608
        if last is not None:
            sql(tx).value("SELECT setval(pg_get_serial_sequence(?, ?), ?)", table, column, last)
