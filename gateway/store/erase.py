"""Making deleted rows unreadable on disk.

Deleting is not enough on SQLite: freed pages keep their octets (``PRAGMA secure_delete``, set by the engine, zeroes
them), the full-text index keeps the words of deleted rows until its segments are merged, and the write-ahead log
keeps older versions of pages until it is cut. PostgreSQL does the same work in VACUUM, by itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

from gateway.store.database_url import sqlite_file
from gateway.store.engine import Store
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_PAGES = 500
"""Pages one merge step writes: other writers wait some ten milliseconds."""


async def erase_deleted(store: Store, seconds: float = 3.0) -> bool:
    """Rewrite what still holds deleted rows; answers whether it is all done.

    The merge of a large index stops after ``seconds``; the next call goes on with it. Raises StoreDown.
    """
    if store.postgres:
        return True
    end = time.monotonic() + seconds
    merged = False
    while not merged and time.monotonic() < end:
        merged = await store.write(_merge_step)
    return await asyncio.to_thread(_cut_log, str(sqlite_file(store.url))) and merged


def _merge_step(tx: Tx) -> bool:
    """A part of merging all segments into one, which drops deleted rows' words. Answers whether it is done.

    A step that finds nothing to do changes fewer than two rows (the FTS5 documentation, "merge").
    """
    before = int(sql(tx).value("SELECT total_changes()"))
    sql(tx).run("INSERT INTO message_search(message_search, rank) VALUES ('merge', ?)", -_PAGES)
    return int(sql(tx).value("SELECT total_changes()")) - before < 2


def _cut_log(path: str) -> bool:
    """Write the log back into the database and cut it to nothing; False when readers were always in the way."""
    with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as database:
        for _ in range(6):
            try:
                busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.OperationalError:  # a writer holds it
                busy = 1
            if not busy:
                return True
            time.sleep(0.05)
    return False
