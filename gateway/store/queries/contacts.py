"""Statements about who wrote to an inbox."""

from __future__ import annotations

from gateway.records.ids import InboxId
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_LOOKED_AT = 50


def wrote_to(tx: Tx, inbox_id: InboxId, address: str) -> bool:
    """Whether mail from ``address`` came to this inbox (50 of its mails are looked at)."""
    query = (
        "SELECT 1 FROM (SELECT id FROM message WHERE inbox_id = ? AND from_email = ? AND direction = 'inbound' "
        "LIMIT ?) AS mail WHERE NOT EXISTS (SELECT 1 FROM label WHERE label.message_id = mail.id "
        "AND label.label IN ('unauthenticated', 'blocked')) LIMIT 1"
    )
    return sql(tx).value(query, inbox_id, address.lower(), _LOOKED_AT) is not None
