"""Statements about labels of messages, and the log of their changes."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.records.ids import InboxId, MessageId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Label, LabelChange
from gateway.store.listing import Listing
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_MANY = 500


def labels_of_messages(tx: Tx, message_ids: Sequence[MessageId]) -> dict[MessageId, list[str]]:
    """The sorted labels of each message, by its id."""
    found: dict[MessageId, list[str]] = {one: [] for one in message_ids}
    for start in range(0, len(message_ids), _MANY):
        some = message_ids[start : start + _MANY]
        marks = ", ".join("?" * len(some))
        for one in sql(tx).all(Label, f"WHERE message_id IN ({marks}) ORDER BY label", *some):
            found[one.message_id].append(one.label)
    return found


def labels_of_threads(tx: Tx, thread_ids: Sequence[ThreadId]) -> dict[ThreadId, list[str]]:
    """The sorted labels that messages of each thread bear, by the thread's id."""
    found: dict[ThreadId, list[str]] = {one: [] for one in thread_ids}
    if found:
        marks = ", ".join("?" * len(found))
        for row in sql(tx).rows(
            "SELECT DISTINCT message.thread_id, label.label "  # noqa: S608
            "FROM message JOIN label ON label.message_id = message.id "
            f"WHERE message.thread_id IN ({marks}) ORDER BY label.label",
            *found,
        ):
            found[row["thread_id"]].append(row["label"])
    return found


def list_label_changes(
    tx: Tx, inbox: Inbox, *, limit: int, ascending: bool, position: int | None, offset: int
) -> Listing[LabelChange]:
    """Labels put on and taken off an inbox's messages, after the change whose ``seq`` is ``position``."""
    total = int(sql(tx).value("SELECT count(*) FROM label_change WHERE inbox_id = ?", inbox.id))
    where, args = "inbox_id = ?", list[object]([inbox.id])
    if position is not None:
        where, args = f"{where} AND seq {'>' if ascending else '<'} ?", [*args, position]
    found = sql(tx).all(
        LabelChange,
        f"WHERE {where} ORDER BY seq {'ASC' if ascending else 'DESC'} LIMIT ? OFFSET ?",
        *args,
        limit + 1,
        offset,
    )
    shown = found[:limit]
    return Listing(shown, total, (shown[-1].seq, "") if len(found) > limit and shown else None)


def label_changes_of_message(
    tx: Tx, inbox_id: InboxId, message_id: MessageId, most: int
) -> list[LabelChange]:
    """The first ``most`` changes of a message's labels, oldest first."""
    return sql(tx).all(
        LabelChange,
        "WHERE message_id = ? AND inbox_id = ? ORDER BY seq LIMIT ?",
        message_id,
        inbox_id,
        most,
    )
