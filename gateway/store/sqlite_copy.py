"""Copies of a SQLite database, as backups hold them: making, checking and reading them, by their own connections.

A copy is made by SQL from one read transaction: it is of one moment, writers do not wait for it, and rows that were
deleted do not travel. Derived tables come empty: ``postern rebuild`` fills them from the mailboxes. Everything here
blocks and raises sqlite3.Error.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.store.migrate import LEVELS
from gateway.store.models import DERIVED
from gateway.store.process_models import PASSING

EMPTY = frozenset(model._meta.table_name for model in DERIVED + PASSING) | {"message_search", "row_total"}
"""Tables that a copy has without their rows: what is derived, and who runs just now."""
_SHADOW = ("message_search_",)  # what FTS5 keeps its index in


def copy_database(source: str, target: Path) -> dict[str, int]:
    """Copy the database at a URI into a new file, which only its owner may read; returns rows by table. Raises OSError,
    too."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(target, isolation_level=None, uri=True)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("ATTACH DATABASE ? AS source", (source,))
        db.execute("BEGIN")
        counts = _copy(db)
        db.execute("COMMIT")
        db.execute("DETACH DATABASE source")
    return counts


def _copy(db: sqlite3.Connection) -> dict[str, int]:
    made = db.execute(
        "SELECT type, name, sql FROM source.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    tables = [(name, sql) for kind, name, sql in made if kind == "table" and not name.startswith(_SHADOW)]
    counts: dict[str, int] = {}
    for name, sql in tables:
        db.execute(sql)
        if name not in EMPTY:
            quoted = _quoted(name)
            done = db.execute(f"INSERT INTO main.{quoted} SELECT * FROM source.{quoted}")  # noqa: S608
            counts[name] = done.rowcount
    for kind, _, sql in made:
        if kind in ("index", "trigger", "view"):
            db.execute(sql)
    return counts


def check_copy(path: Path) -> dict[str, int]:
    """Read every page, index and constraint of a copy; returns rows by table. What is damaged raises."""
    with closing(_unchanging(path)) as db:
        (well,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if well != "ok":
            raise sqlite3.DatabaseError(well)
        rows = db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        names = [name for (name,) in rows if name not in EMPTY and not name.startswith(_SHADOW)]
        return {name: db.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0] for name in names}  # noqa: S608


def levels_of_copy(path: Path) -> list[str]:
    """The migrations that a copy has been through."""
    with closing(_unchanging(path)) as db:
        return [name for (name,) in db.execute(f"SELECT name FROM {LEVELS} ORDER BY name")]  # noqa: S608


def rows_of_copy(path: Path, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table of a copy."""
    with closing(sqlite3.connect(path)) as db:
        cursor = db.execute(f"SELECT * FROM {_quoted(table)}")  # noqa: S608
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))


def damage_of(path: Path) -> str:
    """What SQLite's own quick check says of a database that may be in use; empty when it is well. On a connection of
    its own, so readers are free."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        said = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        db.close()
    return "" if said == ["ok"] else "; ".join(said)[:300]


def _unchanging(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path.resolve().as_uri() + "?mode=ro&immutable=1", uri=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
