"""Statements about what was sent, as the index has it."""

from __future__ import annotations

from typing import ClassVar

from gateway.records.base import Record
from gateway.records.ids import InboxId, MessageId, ThreadId, now_us
from gateway.records.mail import MessageStatus
from gateway.store.sql import sql
from gateway.store.transaction import Tx


class IndexedSend(Record, frozen=True):
    """A message that was sent, and its thread."""

    table: ClassVar[str] = "message"

    id: MessageId
    thread_id: ThreadId


def send_unknown_to_outbox(tx: Tx, inbox_id: InboxId, identity: str, since: int) -> IndexedSend | None:
    """What an inbox sent since ``since`` (µs) under an ``identity`` (the random part of its ULID), when the outbox has
    no row of it."""
    return sql(tx).one(
        IndexedSend,
        "WHERE inbox_id = ? AND direction = 'outbound' "
        "AND substr(id, 11) = ? "  # after ULID_TIME; a literal, as the index message_identity has it
        "AND timestamp >= ? AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.id = message.id) LIMIT 1",
        inbox_id,
        identity,
        since - since % 1_000_000,  # as outbound messages are kept
    )


def set_delivery_status(tx: Tx, message_id: MessageId, status: MessageStatus) -> None:
    """Set what became of a sent message; a complaint or rejection stays."""
    sql(tx).run(
        "UPDATE message SET status = ?, updated_at = ? WHERE id = ? AND status NOT IN ('complained', 'rejected', ?)",
        status,
        now_us(),
        message_id,
        status,
    )


def set_rejected(tx: Tx, message_id: MessageId) -> None:
    """Note that a message never left."""
    sql(tx).run("UPDATE message SET status = 'rejected', updated_at = ? WHERE id = ?", now_us(), message_id)


def set_blind_people(tx: Tx, message_id: MessageId, bcc_json: str, size: int) -> None:
    """Note whom a held message goes to blindly by now, and its size."""
    sql(tx).run("UPDATE message SET bcc_json = ?, size = ? WHERE id = ?", bcc_json, size, message_id)


def set_complained(tx: Tx, message_id: MessageId) -> None:
    """Note that a recipient called a message unwanted."""
    sql(tx).run(
        "UPDATE message SET status = 'complained', updated_at = ? WHERE id = ? AND status <> 'complained'",
        now_us(),
        message_id,
    )


def unscoped_has_received(tx: Tx, address: str, rfc_ref: str) -> bool:
    """Whether mail with this Message-ID (its ``store.threads.ref_of``) came to the inbox at ``address``."""
    query = (
        "SELECT 1 FROM message JOIN inbox ON inbox.id = message.inbox_id "
        "WHERE inbox.address = ? AND message.rfc_ref = ? AND message.direction = 'inbound' LIMIT 1"
    )
    return sql(tx).value(query, address, rfc_ref) is not None
