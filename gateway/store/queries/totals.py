"""Figures of the whole gateway, for ``postern status``, metrics and the doctor. None of them takes long on a large
database: what would have to be counted row by row is kept counted (``store.row_counts``), or bounded."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.sql import sql
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class LastMail:
    """When the last message came and when the last was sent (µs); None: neither, or not lately."""

    received: int | None
    sent: int | None


def database_answers(tx: Tx) -> bool:
    """True, from the database."""
    return bool(sql(tx).value("SELECT 1"))


def unscoped_organization_total(tx: Tx) -> int:
    """How many organizations there are."""
    return int(sql(tx).value("SELECT count(*) FROM organization"))


def unscoped_message_total(tx: Tx) -> int:
    """How many messages are indexed."""
    return int(sql(tx).value("SELECT coalesce(sum(n), 0) FROM row_total WHERE kind = 'message'"))


def unscoped_last_mail(tx: Tx, among: int) -> LastMail:
    """The times of the last mail, as far as it is ``among`` that many that were indexed last."""
    rows = sql(tx).rows(
        "SELECT direction, max(timestamp) AS last FROM (SELECT direction, timestamp FROM message "
        "ORDER BY seq DESC LIMIT ?) AS recent GROUP BY direction",
        among,
    )
    last = {row["direction"]: row["last"] for row in rows}
    return LastMail(last.get("inbound"), last.get("outbound"))


def database_size(tx: Tx) -> int | None:
    """The octets of a PostgreSQL database; None of SQLite, which does not know (``store.database_url.sqlite_file``)."""
    if not tx.postgres:
        return None
    return int(sql(tx).value("SELECT pg_database_size(current_database())"))
