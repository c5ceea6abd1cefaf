"""PostgreSQL under the store: how it is connected to, and which failures are worth another try.

Transactions are READ COMMITTED, PostgreSQL's own default. What SQLite's single writer gives for nothing is asked for
where it matters with :meth:`gateway.store.engine.Tx.lock`; two transactions that lock in different orders are told
apart by PostgreSQL (deadlock_timeout), and the one that it ends runs again.
"""

from __future__ import annotations

import random
from typing import Any

import peewee

_AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: nothing was written
TRIES = 8
_OPTIONS = "-c lock_timeout=20s -c idle_in_transaction_session_timeout=60s"


def is_postgres(url: str) -> bool:
    """Whether a database URL names PostgreSQL."""
    return url.startswith(("postgresql://", "postgres://"))


def connection_options(url: str) -> dict[str, Any]:
    """Options for libpq beside the URL, which wins: notice a dead server within half a minute, wait for no lock
    for ever."""
    from psycopg.conninfo import conninfo_to_dict

    chosen: dict[str, Any] = {
        "connect_timeout": 10,
        "keepalives_idle": 20,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "application_name": "postern",
        "options": _OPTIONS,
    }
    given = conninfo_to_dict(url)
    return {name: value for name, value in chosen.items() if name not in given}


def plain_url(url: str) -> str:
    """The URL in the one spelling that every layer knows."""
    return "postgresql://" + url.partition("://")[2]


def open_database(url: str, connections: int) -> Any:
    """A pool of at most ``connections``; nothing is connected yet."""
    from playhouse.pool import PooledPostgresqlDatabase

    url = plain_url(url)
    return PooledPostgresqlDatabase(
        url,
        max_connections=connections,
        timeout=10,
        prefer_psycopg3=True,
        autoconnect=False,
        **connection_options(url),
    )


def pause_before(
    error: peewee.PeeweeException, attempt: int, *, lost: bool, committing: bool
) -> float | None:
    """Seconds until a failed transaction is tried again; None when it is not.

    ``attempt`` counts from 1. ``lost``: the connection is gone. That is tried once more, because a connection that
    idled through a restart of the server says so only when it is used; but not when the COMMIT was under way:
    whether it happened is not known, and the caller finds out by its own means.
    """
    if committing or attempt >= TRIES:
        return None
    if lost:
        return 0.0 if attempt == 1 else None
    if getattr(getattr(error, "orig", None), "sqlstate", None) in _AGAIN:
        return random.uniform(0.0, 0.01 * 2**attempt)  # noqa: S311 - spreads the tries
    return None
