"""Threading by Message-ID, In-Reply-To and References (RFC 5322 §3.6.4), within one inbox, never by subject.

Every id a message mentions is remembered (table thread_ref), so an answer that arrives first and the mail it
answers meet. A thread's id comes from its root Message-ID, so a rebuild finds the same; a deleted thread
leaves a tombstone whose generation enters the next id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from gateway.records.ids import THREAD_ID, InboxId, ThreadId, number_of
from gateway.records.inboxes import Inbox
from gateway.records.mail import addresses, sender_of
from gateway.store import sent_aliases
from gateway.store.json_columns import dump
from gateway.store.sql import sql
from gateway.store.transaction import Tx

MAX_REFERENCES = 100


def ref_of(message_id: str) -> str:
    """The digest under which a Message-ID is looked up."""
    return hashlib.sha256(message_id.strip().encode("utf-8", "replace")).hexdigest()[:32]


def find_or_make(
    tx: Tx,
    inbox: Inbox,
    *,
    own: str,
    in_reply_to: Sequence[str],
    references: Sequence[str],
    subject: str,
    at: int,
    now: int,
) -> ThreadId:
    """The thread of a message, made when it has none yet. ``own`` is its Message-ID (or its identity).

    Long References keep their first and last ids; a cycle or a reference to itself changes nothing.
    """
    refs = list(dict.fromkeys(references))
    if len(refs) > MAX_REFERENCES:
        refs = refs[:1] + refs[-(MAX_REFERENCES - 1) :]
    replies = list(dict.fromkeys(in_reply_to))[:10]
    renamed = sent_aliases.ours(tx, inbox.id, {*refs, *replies})
    if renamed:
        refs = list(dict.fromkeys(renamed.get(one, one) for one in refs))
        replies = list(dict.fromkeys(renamed.get(one, one) for one in replies))
    wanted = [ref_of(one) for one in dict.fromkeys([own, *replies, *reversed(refs)])]
    marks = ", ".join("?" * len(wanted))
    known = {
        row["ref"]: row["thread_id"]
        for row in sql(tx).rows(
            f"SELECT ref, thread_id FROM thread_ref WHERE inbox_id = ? AND ref IN ({marks})",  # noqa: S608
            inbox.id,
            *wanted,
        )
    }
    thread = next((known[ref] for ref in wanted if ref in known), None)
    if thread is None:
        root = ref_of((refs or replies or [own])[0])
        generation = sql(tx).value(
            "SELECT generation FROM thread_tombstone WHERE inbox_id = ? AND root = ?", inbox.id, root
        )
        identity = ["thread", inbox.id, root] + ([str(generation)] if generation else [])
        # the time part is fixed: the same root must give the same id whichever mail arrives first
        thread = THREAD_ID.derived(inbox.created_at, *identity)
        sql(tx).insert(
            "thread",
            {
                "id": thread,
                "number": number_of(thread),
                "organization_id": inbox.organization_id,
                "inbox_id": inbox.id,
                "root": root,
                "subject": subject,
                "preview": "",
                "last_message_id": "",
                "message_count": 0,
                "size": 0,
                "timestamp": at,
                "last_seq": 0,
                "created_at": now,
                "updated_at": now,
            },
            ignore=True,
        )
    for ref in wanted:
        if ref not in known:
            sql(tx).insert("thread_ref", {"inbox_id": inbox.id, "ref": ref, "thread_id": thread}, ignore=True)
    return ThreadId(thread)


_MAX_PEOPLE = 50


def keep_in(tx: Tx, inbox_id: InboxId, rfc_message_id: str, thread_id: ThreadId) -> None:
    """Have the message with this Message-ID join this thread, if it is there, whatever its References say."""
    if sql(tx).value("SELECT 1 FROM thread WHERE id = ?", thread_id):
        row = {"inbox_id": inbox_id, "ref": ref_of(rfc_message_id), "thread_id": thread_id}
        sql(tx).insert("thread_ref", row, ignore=True)


def refresh(tx: Tx, thread_id: ThreadId, now: int) -> bool:
    """Recompute a thread's summary from its messages; removes it when none is left (answers False)."""
    tx.lock(f"thread/{thread_id}")  # who changed it meanwhile has refreshed it without what we changed
    sums = sql(tx).row(
        "SELECT count(*) AS n, coalesce(sum(size), 0) AS size, "
        "max(CASE WHEN direction = 'inbound' THEN timestamp END) AS received_at, "
        "max(CASE WHEN direction = 'outbound' THEN timestamp END) AS sent_at, "
        "max(CASE WHEN seen = 0 AND hidden = 0 THEN 1 ELSE 0 END) AS unread, "
        "min(hidden) AS hidden, sum(hidden) AS hidden_count "
        "FROM message WHERE thread_id = ?",
        thread_id,
    )
    if not sums or not sums["n"]:
        sql(tx).run("DELETE FROM thread_ref WHERE thread_id = ?", thread_id)
        sql(tx).run("DELETE FROM thread WHERE id = ?", thread_id)
        return False
    newest = sql(tx).rows(
        "SELECT id, seq, subject, preview, timestamp, from_json, to_json, cc_json FROM message "  # noqa: S608
        f"WHERE thread_id = ? ORDER BY timestamp DESC, seq DESC LIMIT {_MAX_PEOPLE}",
        thread_id,
    )
    last, first = newest[0], newest[-1]
    if sums["n"] > len(newest):
        first = sql(tx).rows(
            "SELECT subject FROM message WHERE thread_id = ? ORDER BY timestamp, seq LIMIT 1", thread_id
        )[0]
    senders: dict[str, None] = {}
    recipients: dict[str, None] = {}
    for row in newest:
        if sender := sender_of(row["from_json"]):
            senders.setdefault(str(sender))
        for one in addresses(row["to_json"]) + addresses(row["cc_json"]):
            recipients.setdefault(one.email)
    sql(tx).update(
        "thread",
        "id",
        thread_id,
        {
            "subject": first["subject"],
            "preview": last["preview"],
            "last_message_id": last["id"],
            "message_count": sums["n"],
            "size": sums["size"],
            "timestamp": last["timestamp"],
            "last_seq": last["seq"],
            "received_at": sums["received_at"],
            "sent_at": sums["sent_at"],
            "unread": sums["unread"],
            "hidden": sums["hidden"],
            "hidden_count": sums["hidden_count"],
            "senders_json": dump(list(senders)[:_MAX_PEOPLE]),
            "recipients_json": dump(list(recipients)[:_MAX_PEOPLE]),
            "updated_at": now,
        },
    )
    return True


def bury(tx: Tx, inbox_id: InboxId, thread_id: ThreadId) -> None:
    """Remember that a thread was deleted, so that later mail naming it makes a new one."""
    root = sql(tx).value("SELECT root FROM thread WHERE id = ?", thread_id)
    if root is not None:
        sql(tx).run(
            "INSERT INTO thread_tombstone (inbox_id, root, generation) VALUES (?, ?, 1) "
            "ON CONFLICT (inbox_id, root) DO UPDATE SET generation = thread_tombstone.generation + 1",
            inbox_id,
            root,
        )
    sql(tx).run("DELETE FROM thread_ref WHERE thread_id = ?", thread_id)
