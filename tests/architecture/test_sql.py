"""Statements are written in ``gateway/store`` alone: nothing outside it runs SQL."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = frozenset(
    {
        "rows",
        "row",
        "value",
        "run",
        "insert",
        "update",
        "octets",
        "keep_octets",
        "one",
        "all",
        "joined",
        "add",
    }
)
"""The methods of ``store.sql.Sql``, which a transaction has not."""
TOOLS = {"gateway.store.sql": {"sql", "Sql", "Row"}, "gateway.store": {"sql"}}
"""Names by module that only the store imports."""

FIX = (
    "move the statement into gateway/store/queries: a module for each noun, a function that takes a Scope or is called "
    "unscoped_…"
)


def places(path: str, text: str) -> Iterator[str]:
    """Each line of a module that runs SQL, or imports what does: on ``tx``, or on a parameter that is a Tx."""
    tree = ast.parse(text, path)
    names = {"tx"} | {
        node.arg for node in ast.walk(tree) if isinstance(node, ast.arg) and _is_transaction(node.annotation)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in STATEMENTS:
            if isinstance(node.value, ast.Name) and node.value.id in names:
                yield f"{path}:{node.lineno}: {node.value.id}.{node.attr}"
        elif isinstance(node, ast.Import):
            if any(name.name == "gateway.store.sql" for name in node.names):
                yield f"{path}:{node.lineno}: import gateway.store.sql"
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.name in TOOLS.get(node.module or "", ()):
                    yield f"{path}:{node.lineno}: from {node.module} import {name.name}"


def _is_transaction(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "Tx"


def places_outside() -> Iterator[str]:
    """The places of each file outside the store."""
    files = [path for package in ("gateway", "mailserver") for path in sorted((ROOT / package).rglob("*.py"))]
    outside = [path for path in files if not path.is_relative_to(ROOT / "gateway" / "store")]
    for path in outside:
        yield from places(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def test_only_the_store_runs_sql() -> None:
    wrong = list(places_outside())
    assert not wrong, "\n".join(["SQL outside gateway/store:", *wrong, FIX])


def test_a_statement_is_found_however_it_is_run() -> None:
    module = """
from gateway.store.sql import Sql, sql
from gateway.store.transaction import Tx
import gateway.store.sql

def read(tx, transaction: Tx, other):
    tx.lock("mine")
    other.rows("no transaction")
    tx.rows("SELECT 1")
    later = partial(transaction.run, "DELETE FROM inbox")
    return lambda tx: tx.value("SELECT 1")
"""
    assert sorted(places("a.py", module), key=lambda line: int(line.split(":")[1])) == [
        "a.py:2: from gateway.store.sql import Sql",
        "a.py:2: from gateway.store.sql import sql",
        "a.py:4: import gateway.store.sql",
        "a.py:9: tx.rows",
        "a.py:10: transaction.run",
        "a.py:11: tx.value",
    ]
