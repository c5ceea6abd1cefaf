"""Statements about messages with their labels and texts. What changes them is in ``store.index``.

An inbox's or thread's id comes from whoever found it in a scope.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from gateway.records.ids import InboxId, MessageId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import (
    NO_TEXT,
    ListedMessage,
    Mail,
    Message,
    MessageItem,
    MessageText,
    Position,
)
from gateway.store.listing import Filter, Listing, Window, keyset
from gateway.store.queries.labels import labels_of_messages
from gateway.store.queries.mail_filters import hidden_condition, message_conditions, reach
from gateway.store.row_counts import total
from gateway.store.scope import Scope
from gateway.store.search import Column, Order, found_messages
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_MANY = 500
_WITH_TEXTS = "LEFT JOIN message_body ON message_body.message_id = message.id"
# a literal, for the partial index of store.index_models
_RECEIVED = "direction = 'inbound' AND hidden = 0"


# --- lists ---


def list_messages(
    tx: Tx, scope: Scope, inbox: Inbox | None, wanted: Filter, window: Window, *, texts: bool
) -> Listing[ListedMessage]:
    """Messages of an inbox, or with None of every inbox in reach. ``texts``: with those that the index holds."""
    where, args, ids = reach(tx, scope, inbox, "message")
    more, values = message_conditions(tx, wanted, inbox.id if inbox else None)
    where, args = where + more, [*args, *values]
    position, at, order = keyset(window, "timestamp", "seq")
    found = sql(tx).all(
        MessageItem,
        f"WHERE {where}{position} ORDER BY {order} LIMIT ? OFFSET ?",
        *args,
        *at,
        window.limit + 1,
        0 if window.position else window.offset,
    )
    shown = found[: window.limit]
    if replace(wanted, direction=None).plain:
        count = _kept_total(tx, wanted, ids)
    else:
        count = int(sql(tx).value(f"SELECT count(*) FROM message WHERE {where}", *args))  # noqa: S608
    return Listing(
        _listed(tx, shown, texts=texts),
        count,
        _position(shown[-1]) if len(found) > len(shown) and shown else None,
        unauthenticated_count(tx, scope, ids),
    )


def search_messages(
    tx: Tx,
    scope: Scope,
    inbox: Inbox | None,
    query: str,
    wanted: Filter,
    order: Order,
    *,
    limit: int,
    offset: int,
    within: Collection[Column],
    texts: bool,
) -> tuple[list[ListedMessage], int]:
    """Messages that hold every word of ``query``, and how many there are (``store.search``)."""
    where, args, _ = reach(tx, scope, inbox, "message")
    more, values = message_conditions(tx, wanted, inbox.id if inbox else None)
    found, count = found_messages(
        tx,
        query,
        where=where + more,
        args=[*args, *values],
        order=order,
        limit=limit,
        offset=offset,
        within=within,
    )
    return _listed(tx, found, texts=texts), count


def unauthenticated_count(tx: Tx, scope: Scope, inbox_ids: Sequence[InboxId]) -> int:
    """How many messages of these inboxes failed DMARC; 0 for a key that may not see them."""
    if not scope.allows("label_unauthenticated_read"):
        return 0
    return total(tx, "dmarc_fail", inbox_ids, hidden=True)


def _kept_total(tx: Tx, wanted: Filter, ids: Sequence[InboxId]) -> int:
    """The kept total of a list that only its direction narrows."""
    hidden = bool(wanted.shown)
    if wanted.direction == "inbound":
        return total(tx, "inbound", ids, hidden=hidden)
    count = total(tx, "message", ids, hidden=hidden)
    return count - total(tx, "inbound", ids, hidden=hidden) if wanted.direction else count


def _listed(tx: Tx, messages: Sequence[MessageItem], *, texts: bool) -> list[ListedMessage]:
    ids = [one.id for one in messages]
    labels = labels_of_messages(tx, ids)
    if not texts:
        return [ListedMessage(message=one, labels=labels[one.id]) for one in messages]
    known = texts_of_messages(tx, ids)
    return [
        ListedMessage(message=one, labels=labels[one.id], texts=known.get(one.id, NO_TEXT))
        for one in messages
    ]


def _position(message: MessageItem) -> tuple[int, str]:
    return message.timestamp, str(message.seq)


def texts_of_messages(tx: Tx, message_ids: Sequence[MessageId]) -> dict[MessageId, MessageText]:
    """The texts that the index holds of messages, by message id."""
    if not message_ids:
        return {}
    marks = ", ".join("?" * len(message_ids))
    found = sql(tx).all(MessageText, f"WHERE message_id IN ({marks})", *message_ids)
    return {one.message_id: one for one in found}


# --- one message, by an id ---


def visible_message(tx: Tx, scope: Scope, message_id: MessageId) -> Message | None:
    """The organization's message with this ULID, unless the caller is blind to it."""
    seen, args = scope.sight()
    return sql(tx).one(
        Message, f"WHERE id = ? AND organization_id = ?{seen}", message_id, scope.organization, *args
    )


def visible_numbered_message(tx: Tx, scope: Scope, number: int) -> Message | None:
    """The organization's message with this number, unless the caller is blind to it."""
    seen, args = scope.sight()
    return sql(tx).one(
        Message, f"WHERE number = ? AND organization_id = ?{seen}", number, scope.organization, *args
    )


def is_in_inbox(tx: Tx, inbox_id: InboxId, message_id: MessageId) -> bool:
    """Whether an inbox has the message with this ULID."""
    query = "SELECT 1 FROM message WHERE id = ? AND inbox_id = ?"
    return sql(tx).value(query, message_id, inbox_id) is not None


def numbered_message_id(tx: Tx, inbox_id: InboxId, number: int) -> MessageId | None:
    """The ULID of an inbox's message with this number."""
    found = sql(tx).value("SELECT id FROM message WHERE number = ? AND inbox_id = ?", number, inbox_id)
    return None if found is None else MessageId(found)


def newest_message_id(tx: Tx, inbox_id: InboxId, rfc_ref: str) -> MessageId | None:
    """The ULID of an inbox's newest message whose Message-ID has this digest (``store.threads.ref_of``)."""
    found = sql(tx).value(
        "SELECT id FROM message WHERE inbox_id = ? AND rfc_ref = ? ORDER BY timestamp DESC, seq DESC LIMIT 1",
        inbox_id,
        rfc_ref,
    )
    return None if found is None else MessageId(found)


def unscoped_message_item(tx: Tx, message_id: MessageId) -> MessageItem | None:
    """A message by its ULID, without its headers."""
    return sql(tx).one(MessageItem, "WHERE id = ?", message_id)


def unscoped_message_size(tx: Tx, message_id: MessageId) -> int | None:
    """The octets of a message."""
    size = sql(tx).value("SELECT size FROM message WHERE id = ?", message_id)
    return None if size is None else int(size)


def unscoped_mail(tx: Tx, message_id: MessageId) -> Mail | None:
    """A message by its ULID, with its labels and texts."""
    found = _with_texts(tx, "WHERE message.id = ?", message_id)
    return found[0] if found else None


# --- several whole messages ---


def mail_of_inbox(tx: Tx, inbox_id: InboxId, message_ids: Sequence[MessageId], *, texts: bool) -> list[Mail]:
    """Those of these messages that an inbox has, in this order."""
    by_id: dict[MessageId, Mail] = {}
    for start in range(0, len(message_ids), _MANY):
        some = message_ids[start : start + _MANY]
        where = f"WHERE message.id IN ({', '.join('?' * len(some))})"
        found = _with_texts(tx, where, *some) if texts else _without_texts(tx, where, *some)
        by_id.update((one.message.id, one) for one in found)
    wanted = (by_id[one] for one in message_ids if one in by_id)
    return [one for one in wanted if one.message.inbox_id == inbox_id]


def mail_of_thread(tx: Tx, thread_id: ThreadId) -> list[Mail]:
    """Every message of a thread, the oldest first, without texts."""
    return _without_texts(tx, "WHERE thread_id = ? ORDER BY timestamp, seq", thread_id)


def page_of_thread(
    tx: Tx, thread_id: ThreadId, window: Window, shown: frozenset[str]
) -> tuple[list[Mail], tuple[int, str] | None]:
    """A page of the messages of a thread with their texts, and the position to go on from.

    ``shown``: of the labels that hide a message, those whose messages are wanted too.
    """
    position, at, order = keyset(window, "message.timestamp", "message.seq")
    veiled, veils = hidden_condition(shown, "message")
    found = _with_texts(
        tx,
        f"WHERE message.thread_id = ?{veiled}{position} ORDER BY {order} LIMIT ?",
        thread_id,
        *veils,
        *at,
        window.limit + 1,
    )
    page = found[: window.limit]
    return page, _position(page[-1].message) if len(found) > len(page) and page else None


def last_of_thread(tx: Tx, scope: Scope, thread_id: ThreadId) -> Mail | None:
    """The last message of a thread that the caller is not blind to, with its texts; a hidden one where no other is."""
    seen, args = scope.sight()
    found = _with_texts(
        tx,
        f"WHERE message.thread_id = ?{seen} "
        "ORDER BY message.hidden, message.timestamp DESC, message.seq DESC LIMIT 1",
        thread_id,
        *args,
    )
    return found[0] if found else None


def unread_mail_of_thread(tx: Tx, thread_id: ThreadId) -> list[Mail]:
    """The unread messages of a thread, the oldest first, without texts."""
    return _without_texts(
        tx,
        "JOIN label ON label.message_id = message.id AND label.label = 'unread' "
        "WHERE message.thread_id = ? ORDER BY message.timestamp, message.seq",
        thread_id,
    )


def bearer_of_unread(tx: Tx, thread_id: ThreadId) -> list[Mail]:
    """The message that makes a thread unread: the last that came in, else the last that was sent, if it is shown."""
    return _without_texts(
        tx,
        "WHERE thread_id = ? AND hidden = 0 "
        "ORDER BY CASE WHEN direction = 'inbound' THEN 0 ELSE 1 END, timestamp DESC, seq DESC LIMIT 1",
        thread_id,
    )


def items_of_thread(tx: Tx, thread_id: ThreadId) -> list[MessageItem]:
    """Every message of a thread, in no order."""
    return sql(tx).all(MessageItem, "WHERE thread_id = ?", thread_id)


def attaching_items_of_thread(tx: Tx, thread_id: ThreadId) -> list[MessageItem]:
    """The messages of a thread that have attachments, in no order."""
    return sql(tx).all(MessageItem, "WHERE thread_id = ? AND attachments_json <> '[]'", thread_id)


def copies_of_thread(tx: Tx, thread_id: ThreadId, most: int) -> list[MessageItem]:
    """The newest ``most`` messages that came in with a Cc and are shown."""
    return sql(tx).all(
        MessageItem,
        "WHERE thread_id = ? AND direction = 'inbound' AND hidden = 0 AND cc_json <> '[]' "
        "ORDER BY timestamp DESC, seq DESC LIMIT ?",
        thread_id,
        most,
    )


def rfc_ids_of_thread(tx: Tx, scope: Scope, thread_id: ThreadId, most: int) -> list[str]:
    """The Message-IDs of a thread as far as the caller sees it: the first and the newest ``most``, oldest first."""
    seen, args = scope.sight()
    known = (
        f"SELECT rfc_message_id AS id FROM message WHERE thread_id = ? AND rfc_message_id IS NOT NULL{seen} "  # noqa: S608
    )
    first = sql(tx).rows(f"{known}ORDER BY timestamp, seq LIMIT 1", thread_id, *args)
    newest = sql(tx).rows(f"{known}ORDER BY timestamp DESC, seq DESC LIMIT {most}", thread_id, *args)
    return [row["id"] for row in [*first, *reversed(newest)]]


def _with_texts(tx: Tx, rest: str, *args: object) -> list[Mail]:
    found = sql(tx).joined((Message, MessageText), f"{_WITH_TEXTS} {rest}", *args)
    labels = labels_of_messages(tx, [message.id for message, _ in found])
    return [Mail(message=message, labels=labels[message.id], texts=texts) for message, texts in found]


def _without_texts(tx: Tx, rest: str, *args: object) -> list[Mail]:
    found = sql(tx).all(Message, rest, *args)
    labels = labels_of_messages(tx, [one.id for one in found])
    return [Mail(message=one, labels=labels[one.id]) for one in found]


# --- what an inbox receives ---


def newest_received_position(tx: Tx, inbox_id: InboxId) -> Position:
    """The position of the newest message that an inbox received and that is shown; (0, 0) without one."""
    row = sql(tx).row(
        f"SELECT timestamp, seq FROM message WHERE inbox_id = ? AND {_RECEIVED} "  # noqa: S608
        "ORDER BY timestamp DESC, seq DESC LIMIT 1",
        inbox_id,
    )
    return (row["timestamp"], row["seq"]) if row else (0, 0)


def message_position(tx: Tx, inbox_id: InboxId, message_id: MessageId) -> Position | None:
    """The position of a message of an inbox."""
    row = sql(tx).row(
        "SELECT timestamp, seq FROM message WHERE id = ? AND inbox_id = ?", message_id, inbox_id
    )
    return (row["timestamp"], row["seq"]) if row else None


def received_after(tx: Tx, inbox_id: InboxId, position: Position, most: int) -> list[MessageItem]:
    """The first ``most`` messages that an inbox received after ``position`` and that are shown."""
    return sql(tx).all(
        MessageItem,
        f"WHERE inbox_id = ? AND {_RECEIVED} AND (timestamp, seq) > (?, ?) ORDER BY timestamp, seq LIMIT ?",
        inbox_id,
        *position,
        most,
    )


def unscoped_received(tx: Tx, message_id: MessageId | None) -> MessageItem | None:
    """A message by its ULID, if it was received and is shown."""
    return sql(tx).one(MessageItem, f"WHERE id = ? AND {_RECEIVED}", message_id)


def message_with_seq(tx: Tx, inbox_id: InboxId, seq: int) -> MessageItem | None:
    """The message of an inbox with this ``seq``."""
    return sql(tx).one(MessageItem, "WHERE inbox_id = ? AND seq = ?", inbox_id, seq)
