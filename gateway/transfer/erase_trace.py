"""What is left of an address after an erasure: in the database, column by column, and in files, octet by octet."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gateway.store.table_catalog import text_columns, texts_like
from gateway.store.transaction import Tx
from gateway.transfer.erase_find import Person

_CHUNK = 1 << 20


def left_in_rows(tx: Tx, person: Person) -> dict[str, int]:
    """Rows of any table that name the person, as ``table.column``."""
    found: dict[str, int] = {}
    for table, column in text_columns(tx):
        count = sum(person.named_in(text) for text in texts_like(tx, table, column, person.like))
        if count:
            found[f"{table}.{column}"] = count
    return found


def left_in_files(root: Path, person: Person, *, mail: bool) -> list[str]:
    """Files below a directory that hold the address, by their path; those of mailboxes only with ``mail``. Blocks.

    Never call it in a process that has a SQLite database below ``root`` open (``erase_files``).
    """
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
