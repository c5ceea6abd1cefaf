"""Statements about which Message-IDs belong to which thread, and about threads that were joined.

What decides that threads are joined is ``store.thread_joins``. Ids of threads come from whoever found them in a scope,
or from the engine that reads the mailbox.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from gateway.records.ids import InboxId, ThreadId
from gateway.records.mail import ThreadRoot
from gateway.store.sql import sql
from gateway.store.transaction import Tx


class KnownRef(NamedTuple):
    """The thread that a Message-ID belongs to, and the root of that thread."""

    thread_id: ThreadId
    root: str


def known_refs(tx: Tx, inbox_id: InboxId, refs: Collection[str]) -> dict[str, KnownRef]:
    """Which of these Message-IDs (digests) belong to a thread of an inbox, by the digest."""
    rows = sql(tx).rows(
        "SELECT thread_ref.ref, thread_ref.thread_id, thread.root FROM thread_ref "  # noqa: S608
        "JOIN thread ON thread.id = thread_ref.thread_id "
        f"WHERE thread_ref.inbox_id = ? AND thread_ref.ref IN ({', '.join('?' * len(refs))})",
        inbox_id,
        *refs,
    )
    return {row["ref"]: KnownRef(row["thread_id"], row["root"]) for row in rows}


def add_refs(tx: Tx, inbox_id: InboxId, refs: Iterable[str], thread_id: ThreadId) -> None:
    """Have Message-IDs (digests) that belong to no thread belong to this one."""
    for ref in refs:
        row = {"inbox_id": inbox_id, "ref": ref, "thread_id": thread_id}
        sql(tx).insert("thread_ref", row, ignore=True)


def generation_of(tx: Tx, inbox_id: InboxId, root: str) -> int:
    """How many threads with this root were deleted."""
    query = "SELECT generation FROM thread_tombstone WHERE inbox_id = ? AND root = ?"
    return int(sql(tx).value(query, inbox_id, root) or 0)


def bury_roots(tx: Tx, thread_id: ThreadId) -> None:
    """A thread is deleted: no root of it gives its id again, and no id leads to it."""
    sql(tx).run(
        "INSERT INTO thread_tombstone (inbox_id, root, generation) "
        "SELECT inbox_id, root, 1 FROM thread WHERE id = ? "
        "UNION SELECT inbox_id, root, 1 FROM thread_root WHERE current_id = ? "
        "ON CONFLICT (inbox_id, root) DO UPDATE SET generation = thread_tombstone.generation + 1",
        thread_id,
        thread_id,
    )
    forget_thread(tx, thread_id)


def forget_thread(tx: Tx, thread_id: ThreadId) -> None:
    """Delete what leads to a thread: Message-IDs, and the ids of threads that were joined to it."""
    sql(tx).run("DELETE FROM thread_ref WHERE thread_id = ?", thread_id)
    sql(tx).run("DELETE FROM thread_root WHERE current_id = ?", thread_id)


def roots_with_ids(tx: Tx, thread_ids: Collection[ThreadId]) -> dict[ThreadId, ThreadRoot]:
    """Those of these ids that belong to a thread with several roots."""
    marks = ", ".join("?" * len(thread_ids))
    found = sql(tx).all(ThreadRoot, f"WHERE thread_id IN ({marks})", *thread_ids)
    return {one.thread_id: one for one in found}


def current_thread_id(tx: Tx, thread_id: ThreadId) -> ThreadId:
    """The thread that this one was joined to, or itself."""
    current = sql(tx).value("SELECT current_id FROM thread_root WHERE thread_id = ?", thread_id)
    return thread_id if current is None else ThreadId(current)


def save_root(tx: Tx, root: ThreadRoot) -> None:
    """Write a root, in place of what was known of it."""
    changes = {"since": root.since, "current_id": root.current_id}
    if not sql(tx).update("thread_root", "thread_id", root.thread_id, changes):
        sql(tx).add(root)


def existing_threads(tx: Tx, thread_ids: Collection[ThreadId]) -> list[ThreadId]:
    """Which of these threads there are, by id."""
    marks = ", ".join("?" * len(thread_ids))
    rows = sql(tx).rows(f"SELECT id FROM thread WHERE id IN ({marks}) ORDER BY id", *thread_ids)  # noqa: S608
    return [row["id"] for row in rows]


def oldest_time(tx: Tx, thread_id: ThreadId) -> int:
    """When the oldest message of a thread came or was sent; of a thread that was just made, what it was made with."""
    query = (
        "SELECT coalesce((SELECT min(timestamp) FROM message WHERE thread_id = thread.id), timestamp) "
        "FROM thread WHERE id = ?"
    )
    return int(sql(tx).value(query, thread_id))


def redirect(tx: Tx, thread_id: ThreadId, to: ThreadId) -> None:
    """Have everything that belongs to a thread belong to another, but the row of the thread itself."""
    sql(tx).run("UPDATE thread_root SET current_id = ? WHERE current_id = ?", to, thread_id)
    sql(tx).run("UPDATE thread_ref SET thread_id = ? WHERE thread_id = ?", to, thread_id)
    sql(tx).run("UPDATE message SET thread_id = ? WHERE thread_id = ?", to, thread_id)


def remove_thread(tx: Tx, thread_id: ThreadId) -> None:
    """Delete the row of a thread."""
    sql(tx).run("DELETE FROM thread WHERE id = ?", thread_id)
