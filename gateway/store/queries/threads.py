"""Statements about threads. What makes and changes them is in ``store.threads``."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.mime.types import Attachment
from gateway.records.ids import ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import ListedThread, Thread, attachments
from gateway.store.listing import Filter, Listing, Window, keyset
from gateway.store.queries.labels import labels_of_threads
from gateway.store.queries.mail_filters import message_conditions, reach, thread_conditions
from gateway.store.queries.messages import unauthenticated_count
from gateway.store.queries.thread_roots import current_thread_id
from gateway.store.row_counts import total
from gateway.store.scope import Scope
from gateway.store.search import Order, found_thread_ids
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def organization_thread(tx: Tx, scope: Scope, thread_id: ThreadId) -> Thread | None:
    """The organization's thread that has this ULID, or had it before it was joined to another."""
    found = sql(tx).one(Thread, "WHERE id = ? AND organization_id = ?", thread_id, scope.organization)
    return found or _joined(tx, scope, "thread_id", thread_id)


def numbered_thread(tx: Tx, scope: Scope, number: int) -> Thread | None:
    """The organization's thread that has this number, or had it before it was joined to another."""
    found = sql(tx).one(Thread, "WHERE number = ? AND organization_id = ?", number, scope.organization)
    return found or _joined(tx, scope, "number", number)


def _joined(tx: Tx, scope: Scope, column: str, value: str | int) -> Thread | None:
    return sql(tx).one(
        Thread,
        f"WHERE organization_id = ? AND id IN (SELECT current_id FROM thread_root WHERE {column} = ?)",  # noqa: S608
        scope.organization,
        value,
    )


def has_visible_message(tx: Tx, scope: Scope, thread: Thread) -> bool:
    """Whether a thread holds a message that the caller is not blind to."""
    if not (scope.blind and thread.hidden):
        return True
    seen, args = scope.sight()
    query = f"SELECT 1 FROM message WHERE thread_id = ?{seen} LIMIT 1"  # noqa: S608
    return sql(tx).value(query, thread.id, *args) is not None


def unscoped_thread(tx: Tx, thread_id: ThreadId) -> Thread | None:
    """The thread that has this ULID, or had it before it was joined to another."""
    return sql(tx).one(Thread, "WHERE id = ?", current_thread_id(tx, thread_id))


def list_threads(
    tx: Tx, scope: Scope, inbox: Inbox | None, wanted: Filter, window: Window
) -> Listing[ListedThread]:
    """Threads of an inbox, or with None of every inbox in reach."""
    where, args, ids = reach(tx, scope, inbox, "thread")
    more, values = thread_conditions(wanted)
    where, args = where + more, [*args, *values]
    position, at, order = keyset(window, "timestamp", "last_seq")
    found = sql(tx).all(
        Thread,
        f"WHERE {where}{position} ORDER BY {order} LIMIT ? OFFSET ?",
        *args,
        *at,
        window.limit + 1,
        0 if window.position else window.offset,
    )
    shown = found[: window.limit]
    following = None
    if len(found) > len(shown) and shown:
        following = (shown[-1].timestamp, str(shown[-1].last_seq))
    if wanted.plain:
        count = total(tx, "thread", ids, hidden=bool(wanted.shown))
    else:
        count = int(sql(tx).value(f"SELECT count(*) FROM thread WHERE {where}", *args))  # noqa: S608
    return Listing(listed_threads(tx, shown), count, following, unauthenticated_count(tx, scope, ids))


def search_threads(
    tx: Tx, scope: Scope, inbox: Inbox | None, query: str, wanted: Filter, order: Order, *, most: int
) -> list[ThreadId]:
    """Ids of the threads of the ``most`` best messages that hold every word of ``query``, the best first."""
    where, args, _ = reach(tx, scope, inbox, "message")
    more, values = message_conditions(tx, wanted, inbox.id if inbox else None)
    return found_thread_ids(tx, query, where=where + more, args=[*args, *values], order=order, limit=most)


def threads_with_ids(tx: Tx, thread_ids: Sequence[ThreadId]) -> list[ListedThread]:
    """These threads in this order, those that are there; the ids come from a list of the same scope."""
    if not thread_ids:
        return []
    marks = ", ".join("?" * len(thread_ids))
    found = {one.id: one for one in sql(tx).all(Thread, f"WHERE id IN ({marks})", *thread_ids)}
    return listed_threads(tx, [found[one] for one in thread_ids if one in found])


def listed_threads(tx: Tx, threads: Sequence[Thread]) -> list[ListedThread]:
    """Threads with the labels and attachments of their messages, with one query each."""
    ids = [one.id for one in threads]
    labels, files = labels_of_threads(tx, ids), _attachments_of_threads(tx, ids)
    return [ListedThread(thread=one, labels=labels[one.id], attachments=files[one.id]) for one in threads]


def _attachments_of_threads(tx: Tx, thread_ids: Sequence[ThreadId]) -> dict[ThreadId, list[Attachment]]:
    found: dict[ThreadId, list[Attachment]] = {one: [] for one in thread_ids}
    if found:
        marks = ", ".join("?" * len(found))
        for row in sql(tx).rows(
            "SELECT thread_id, attachments_json FROM message "  # noqa: S608
            f"WHERE thread_id IN ({marks}) AND attachments_json <> '[]' ORDER BY timestamp, seq",
            *found,
        ):
            found[row["thread_id"]] += attachments(row["attachments_json"])
    return found
