"""What is left of an address after an erasure: in the database, column by column, and in files, octet by octet."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gateway.store.engine import Tx
from gateway.transfer.erase_find import Person

_CHUNK = 1 << 20
_TEXT = ("char", "text", "json", "clob")


def left_in_rows(tx: Tx, person: Person) -> dict[str, int]:
    """Rows of any table that name the person, as ``table.column``."""
    found: dict[str, int] = {}
    for table, column in _columns(tx):
        text = f'CAST("{column}" AS TEXT)'
        where = " OR ".join([f"lower({text}) LIKE ? ESCAPE '!'"] * len(person.forms))
        rows = tx.rows(f'SELECT {text} AS said FROM "{table}" WHERE {where}', *person.like)  # noqa: S608
        count = sum(person.named_in(row["said"]) for row in rows)
        if count:
            found[f"{table}.{column}"] = count
    return found


def _columns(tx: Tx) -> list[tuple[str, str]]:
    if tx.postgres:
        rows = tx.rows(
            "SELECT table_name AS name, column_name AS named, data_type AS type FROM information_schema.columns "
            "WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        )
    else:
        rows = tx.rows(
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


def left_in_files(root: Path, person: Person, *, mail: bool) -> list[str]:
    """Files below a directory that hold the address, by their path; those of mailboxes only with ``mail``. Blocks."""
    found = []
    pattern = re.compile(person.pattern.pattern.encode(), re.IGNORECASE)
    longest = max(len(one.encode()) for one in person.forms) + 2
    for place, folders, files in os.walk(root):
        if not mail and Path(place) == root:
            folders[:] = [one for one in folders if one != "mail"]
        for name in sorted(files):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink() and _holds(path, pattern, longest):
                found.append(path.relative_to(root).as_posix())
    return sorted(found)


def _holds(path: Path, pattern: re.Pattern[bytes], overlap: int) -> bool:
    window = b""
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                window = window[-overlap:] + chunk
                if pattern.search(window):
                    return True
    except OSError:
        return False
    return False
