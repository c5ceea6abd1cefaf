"""Running SQL in a transaction, and making records of its rows. For ``store`` alone.

::

    sql(tx).one(Inbox, "WHERE id = ?", inbox_id)             # an Inbox, or None
    sql(tx).all(Inbox, "WHERE pod_id = ? ORDER BY id", pod)  # a list of them
    sql(tx).value("SELECT count(*) FROM inbox")

Statements are written with ``?`` and work on SQLite and PostgreSQL.
"""

from __future__ import annotations

from gateway.store.engine import Sql, Tx

__all__ = ["Sql", "sql"]


def sql(tx: Tx) -> Sql:
    """What runs statements in this transaction."""
    return tx
