"""Statements about the index of a whole mailbox: what a pass over it asks beside folders and locations, and what a
rebuild throws away.

Ids of inboxes and messages come from the engine that reads the mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.records.ids import InboxId, MessageId, ThreadId
from gateway.store import models
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_MOST_IDS = 500


def indexed_message_count(tx: Tx, inbox_id: InboxId) -> int:
    """How many messages of an inbox are indexed."""
    return int(sql(tx).value("SELECT count(*) FROM message WHERE inbox_id = ?", inbox_id))


def indexed_messages(tx: Tx, message_ids: Sequence[MessageId]) -> list[MessageId]:
    """Which of these messages are indexed, in their order."""
    query = "SELECT 1 FROM message WHERE id = ?"
    return [message_id for message_id in message_ids if sql(tx).value(query, message_id) is not None]


def indexed_thread_ids(tx: Tx, inbox_id: InboxId) -> list[ThreadId]:
    """The ids of the threads of an inbox."""
    return [row["id"] for row in sql(tx).rows("SELECT id FROM thread WHERE inbox_id = ?", inbox_id)]


def thread_change_times(tx: Tx, inbox_id: InboxId) -> dict[ThreadId, int]:
    """When each thread of an inbox changed last (µs)."""
    rows = sql(tx).rows("SELECT id, updated_at FROM thread WHERE inbox_id = ?", inbox_id)
    return {row["id"]: row["updated_at"] for row in rows}


def threads_of_messages(tx: Tx, message_ids: Iterable[MessageId]) -> set[ThreadId]:
    """The ids of the threads that messages are in."""
    ids = list(message_ids)
    threads: set[ThreadId] = set()
    for start in range(0, len(ids), _MOST_IDS):
        some = ids[start : start + _MOST_IDS]
        marks = ", ".join("?" * len(some))
        rows = sql(tx).rows(f"SELECT DISTINCT thread_id FROM message WHERE id IN ({marks})", *some)  # noqa: S608
        threads.update(row["thread_id"] for row in rows)
    return threads


def messages_without_location(tx: Tx, inbox_id: InboxId, settled_before: int, most: int) -> list[MessageId]:
    """Up to ``most`` messages of an inbox that are nowhere on the mail server.

    Left out are sandbox sends, which never are, and sends that were not settled before ``settled_before`` (µs), whose
    copy may be still to come.
    """
    rows = sql(tx).rows(
        "SELECT message.id FROM message LEFT JOIN location ON location.message_id = message.id "
        "LEFT JOIN outbox ON outbox.id = message.id "
        "WHERE message.inbox_id = ? AND location.id IS NULL AND message.test = 0 AND "
        "(message.direction = 'inbound' OR (coalesce(outbox.state, 'done') = 'done' AND "
        "coalesce(outbox.updated_at, message.updated_at) < ?)) LIMIT ?",
        inbox_id,
        settled_before,
        most,
    )
    return [row["id"] for row in rows]


def sends_of_outbox(tx: Tx, inbox_id: InboxId) -> list[tuple[MessageId, bool]]:
    """What is on no mail server, so that the outbox keeps its octets: the ids of an inbox's messages of the sandbox
    (True) and of those that are held (False), without those that are indexed."""
    query = (
        "SELECT id, state FROM outbox WHERE inbox_id = ? AND state IN ('done', 'held') AND mime IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = outbox.id) ORDER BY id"
    )
    return [(row["id"], row["state"] == "done") for row in sql(tx).rows(query, inbox_id)]


def forget_inbox(tx: Tx, inbox_id: InboxId) -> None:
    """Delete every derived row of an inbox but the texts of attachments, which are read once
    (``forget_attachment_texts``)."""
    run = sql(tx).run
    run("DELETE FROM message_search WHERE rowid IN (SELECT seq FROM message WHERE inbox_id = ?)", inbox_id)
    run("DELETE FROM message_body WHERE message_id IN (SELECT id FROM message WHERE inbox_id = ?)", inbox_id)
    for model in models.DERIVED:
        name = model._meta.table_name
        if name not in ("message_body", "attachment_text"):
            run(f'DELETE FROM "{name}" WHERE inbox_id = ?', inbox_id)  # noqa: S608


def forget_attachment_texts(tx: Tx, inbox_id: InboxId) -> None:
    """Delete the texts of attachments whose message is not indexed any more."""
    sql(tx).run(
        "DELETE FROM attachment_text WHERE inbox_id = ? AND message_id NOT IN "
        "(SELECT id FROM message WHERE inbox_id = ?)",
        inbox_id,
        inbox_id,
    )
