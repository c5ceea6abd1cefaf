"""Statements that walk everything an inbox holds, for an export.

An inbox's id comes from whoever chose the inboxes that are exported.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.records.folders import Copy
from gateway.records.ids import InboxId, MessageId, ThreadId
from gateway.records.mail import MessageItem, Thread
from gateway.store.queries.locations import copies_of
from gateway.store.sql import sql
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class IndexedMessage:
    """A message with its sorted labels and where it is on the mail server."""

    message: MessageItem
    labels: list[str]
    copies: list[Copy]


def messages_after(tx: Tx, inbox_id: InboxId, seq: int, most: int) -> list[IndexedMessage]:
    """Up to ``most`` messages of an inbox that were indexed after the one with this ``seq``, in that order."""
    messages = sql(tx).all(
        MessageItem, "WHERE inbox_id = ? AND seq > ? ORDER BY seq LIMIT ?", inbox_id, seq, most
    )
    return [
        IndexedMessage(message, _labels_of(tx, message.id), copies_of(tx, message.id)) for message in messages
    ]


def threads_after(tx: Tx, inbox_id: InboxId, thread_id: ThreadId, most: int) -> list[Thread]:
    """Up to ``most`` threads of an inbox with an id above this one, by id."""
    return sql(tx).all(Thread, "WHERE inbox_id = ? AND id > ? ORDER BY id LIMIT ?", inbox_id, thread_id, most)


def _labels_of(tx: Tx, message_id: MessageId) -> list[str]:
    rows = sql(tx).rows("SELECT label FROM label WHERE message_id = ? ORDER BY label", message_id)
    return [row["label"] for row in rows]
