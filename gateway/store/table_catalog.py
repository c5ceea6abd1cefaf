"""Which tables and columns the database has, also those that are yet to come; and the text of any column."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store.sql import sql
from gateway.store.transaction import Tx

_TEXT = ("char", "text", "json", "clob")


def tables_with_column(tx: Tx, column: str) -> list[str]:
    """The tables that have a column of this name."""
    if tx.postgres:
        rows = sql(tx).rows(
            "SELECT table_name AS name FROM information_schema.columns "
            "WHERE column_name = ? AND table_schema = current_schema()",
            column,
        )
    else:
        rows = sql(tx).rows(
            "SELECT sqlite_master.name FROM sqlite_master, pragma_table_info(sqlite_master.name) AS known "
            "WHERE sqlite_master.type = 'table' AND known.name = ?",
            column,
        )
    return [row["name"] for row in rows]


def text_columns(tx: Tx) -> list[tuple[str, str]]:
    """(table, column) of every column that may hold text."""
    if tx.postgres:
        rows = sql(tx).rows(
            "SELECT table_name AS name, column_name AS named, data_type AS type FROM information_schema.columns "
            "WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        )
    else:
        rows = sql(tx).rows(
            "SELECT sqlite_master.name, known.name AS named, known.type FROM sqlite_master, "
            "pragma_table_info(sqlite_master.name) AS known WHERE sqlite_master.type = 'table' "
            "AND sqlite_master.name NOT LIKE 'sqlite%' AND sqlite_master.name NOT GLOB 'message_search_*' "
            "ORDER BY sqlite_master.name, known.cid"
        )
    return [
        (row["name"], row["named"])
        for row in rows
        if row["type"] == "" or any(word in str(row["type"]).lower() for word in _TEXT)
    ]


def texts_like(tx: Tx, table: str, column: str, patterns: Sequence[str]) -> list[str]:
    """What a column says in the rows where it is like one of the patterns (lower case, ``!`` escapes)."""
    text = f'CAST("{column}" AS TEXT)'
    where = " OR ".join([f"lower({text}) LIKE ? ESCAPE '!'"] * len(patterns))
    rows = sql(tx).rows(f'SELECT {text} AS said FROM "{table}" WHERE {where}', *patterns)  # noqa: S608
    return [row["said"] for row in rows]
