"""Statements that remove what an inbox leaves: in every table but its own row and its aliases."""

from __future__ import annotations

from gateway.records.ids import InboxId
from gateway.store.sql import sql
from gateway.store.transaction import Tx

# attempts and deliveries first: they are found through rows that go later
_ACTS = (
    "DELETE FROM attempt WHERE event_id IN (SELECT id FROM event WHERE inbox_id = ?)",
    "DELETE FROM delivery WHERE inbox_id = ?",
    "DELETE FROM delivery WHERE webhook_id IN (SELECT id FROM webhook WHERE inbox_id = ?)",
    "DELETE FROM webhook WHERE inbox_id = ?",
    "DELETE FROM api_key WHERE inbox_id = ?",
    "DELETE FROM event WHERE inbox_id = ?",
    "DELETE FROM draft_file WHERE draft_id IN (SELECT id FROM draft WHERE inbox_id = ?)",
    "DELETE FROM draft WHERE inbox_id = ?",
    "DELETE FROM outbox_reply WHERE outbox_id IN (SELECT id FROM outbox WHERE inbox_id = ?)",
    "DELETE FROM outbox_recipient WHERE outbox_id IN (SELECT id FROM outbox WHERE inbox_id = ?)",
    "DELETE FROM outbox WHERE inbox_id = ?",
    "DELETE FROM review WHERE inbox_id = ?",
    "DELETE FROM list_entry WHERE inbox_id = ?",
    "DELETE FROM policy WHERE inbox_id = ?",
    "DELETE FROM thread_tombstone WHERE inbox_id = ?",
    "DELETE FROM thread_root WHERE inbox_id = ?",
    "DELETE FROM sent_alias WHERE inbox_id = ?",
    "DELETE FROM reputation WHERE subject = ?",
    "DELETE FROM pause WHERE subject = ?",
    "DELETE FROM flags_owed WHERE inbox_id = ?",
    "DELETE FROM listing_time WHERE inbox_id = ?",
    "DELETE FROM contact WHERE inbox_id = ?",
)
_INDEX = (
    "DELETE FROM location WHERE inbox_id = ?",
    "DELETE FROM label WHERE inbox_id = ?",
    "DELETE FROM label_change WHERE inbox_id = ?",
    "DELETE FROM folder WHERE inbox_id = ?",
    "DELETE FROM thread_ref WHERE inbox_id = ?",
    "DELETE FROM thread WHERE inbox_id = ?",
    "DELETE FROM row_total WHERE inbox_id = ?",
    "DELETE FROM attachment_text WHERE inbox_id = ?",
    "DELETE FROM reread WHERE inbox_id = ?",
)


def remove_what_acts(tx: Tx, inbox_id: InboxId) -> None:
    """Delete webhooks, keys, events, drafts, sends and all else of an inbox that could still act, and its records."""
    for statement in _ACTS:
        sql(tx).run(statement, inbox_id)


def remove_some_messages(tx: Tx, inbox_id: InboxId, most: int) -> int:
    """Delete ``most`` messages of an inbox, with their texts; answers how many there were."""
    rows = sql(tx).rows("SELECT seq, id FROM message WHERE inbox_id = ? LIMIT ?", inbox_id, most)
    for row in rows:
        sql(tx).run("DELETE FROM message_search WHERE rowid = ?", row["seq"])
        sql(tx).run("DELETE FROM message_body WHERE message_id = ?", row["id"])
        sql(tx).run("DELETE FROM attachment_text WHERE message_id = ?", row["id"])
        sql(tx).run("DELETE FROM message WHERE seq = ?", row["seq"])
    return len(rows)


def remove_index(tx: Tx, inbox_id: InboxId) -> None:
    """Delete what is derived from an inbox's mail: folders, threads, labels, totals."""
    for statement in _INDEX:
        sql(tx).run(statement, inbox_id)
