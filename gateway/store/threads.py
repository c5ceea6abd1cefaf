"""Threading by Message-ID, In-Reply-To and References (RFC 5322 §3.6.4), within one inbox, never by subject.

Every id a message mentions is remembered (table thread_ref), so an answer that arrives first and the mail it
answers meet, and a message that names two threads joins them (``thread_joins``), unless it contradicts itself: where
References does not have what In-Reply-To names, a known In-Reply-To decides alone. A thread's id comes from its root
Message-ID, so a rebuild finds the same; a deleted thread leaves a tombstone whose generation enters the next id.

A message counts for ``MAX_LINKS`` ids at most, and which these are is seen in it alone: so a hostile one with a
thousand References joins few threads, and what it joins does not depend on what came before it. Whoever names an id has
had that message: our own hold 80 random bits, and those of others are as good as their programs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from gateway.records.ids import THREAD_ID, InboxId, ThreadId, number_of
from gateway.records.inboxes import Inbox
from gateway.records.mail import Placed, addresses, sender_of
from gateway.store import sent_aliases
from gateway.store.json_columns import dump
from gateway.store.queries.inboxes import lock_inbox
from gateway.store.queries.thread_roots import (
    add_refs,
    bury_roots,
    current_thread_id,
    existing_threads,
    forget_thread,
    generation_of,
    known_refs,
    remove_thread,
)
from gateway.store.sql import sql
from gateway.store.thread_joins import join
from gateway.store.transaction import Tx

MAX_REFERENCES = 100
MAX_LINKS = 30
"""How many ids a message counts for: its own, In-Reply-To, the root, and the nearest of References. Programs that
shorten References keep the root and some twenty (RFC 5537 §3.4.4 asks for the first and the last ones)."""

_MAX_REPLIES = 10


def ref_of(message_id: str) -> str:
    """The digest under which a Message-ID is looked up."""
    return hashlib.sha256(message_id.strip().encode("utf-8", "replace")).hexdigest()[:32]


def place(
    tx: Tx,
    inbox: Inbox,
    *,
    own: str,
    in_reply_to: Sequence[str],
    references: Sequence[str],
    subject: str,
    at: int,
) -> Placed:
    """Find the thread of a message, made when there is none yet, and join the threads that it connects. The caller
    refreshes it. ``own`` is the Message-ID, or what stands for one.

    A cycle or a reference to itself changes nothing.
    """
    lock_inbox(tx, inbox.id)  # two messages that come at once find what the other one joined
    root, refs = _links(tx, inbox.id, own, in_reply_to, references)
    known = known_refs(tx, inbox.id, refs)
    found = {one.thread_id: one.root for one in known.values()}
    named = next((thread for thread, its in found.items() if its == root), None)
    first, placed = join(tx, inbox.id, named or _id_of(tx, inbox, root), root, found, at)
    thread = placed.thread_id
    if thread not in found:
        sql(tx).insert(
            "thread",
            {
                "id": thread,
                "number": number_of(thread),
                "organization_id": inbox.organization_id,
                "inbox_id": inbox.id,
                "root": first.root,
                "subject": subject,
                "preview": "",
                "last_message_id": "",
                "message_count": 0,
                "size": 0,
                "timestamp": at,
                "last_seq": 0,
                "created_at": at,
                "updated_at": at,
            },
            ignore=True,
        )
    add_refs(tx, inbox.id, [ref for ref in refs if ref not in known], thread)
    return placed


def _links(
    tx: Tx, inbox_id: InboxId, own: str, in_reply_to: Sequence[str], references: Sequence[str]
) -> tuple[str, list[str]]:
    """The digest of a message's root, and of the ids that it counts for, the root too."""
    refs = list(dict.fromkeys(references))
    refs = refs if len(refs) <= MAX_LINKS else refs[:1] + refs[-MAX_LINKS:]
    replies = list(dict.fromkeys(in_reply_to))[:_MAX_REPLIES]
    ours = sent_aliases.ours(tx, inbox_id, {*refs, *replies})
    refs, replies = [ours.get(one, one) for one in refs], [ours.get(one, one) for one in replies]
    if refs and replies and not {*refs} & {*replies} and known_refs(tx, inbox_id, list(map(ref_of, replies))):
        refs = []  # the two fields are about different conversations: the message that it answers decides
    root = (refs or replies or [own])[0]
    nearest = [ref_of(one) for one in dict.fromkeys([root, own, *replies, *reversed(refs)])]
    return nearest[0], nearest[:MAX_LINKS]


def _id_of(tx: Tx, inbox: Inbox, root: str) -> ThreadId:
    """The id of a thread with this root."""
    generation = generation_of(tx, inbox.id, root)
    identity = ["thread", inbox.id, root] + ([str(generation)] if generation else [])
    # the time part is fixed: the same root must give the same id whichever mail arrives first
    return THREAD_ID.derived(inbox.created_at, *identity)


_MAX_PEOPLE = 50


def keep_in(tx: Tx, inbox_id: InboxId, rfc_message_id: str, thread_id: ThreadId) -> None:
    """Have the message with this Message-ID join this thread, if it is there, whatever its References say."""
    current = current_thread_id(tx, thread_id)
    if existing_threads(tx, [current]):
        add_refs(tx, inbox_id, [ref_of(rfc_message_id)], current)


def refresh(tx: Tx, thread_id: ThreadId, changed: int | None) -> bool:
    """Recompute a thread's summary from its messages; removes it when none is left (answers False). One that was
    joined to another meanwhile is that other one.

    ``changed``: when it did (µs); None: with its newest message, as far as is known.
    """
    tx.lock(f"thread/{thread_id}")  # who changed it meanwhile has refreshed it without what we changed
    sums = sql(tx).row(
        "SELECT count(*) AS n, coalesce(sum(size), 0) AS size, "
        "max(CASE WHEN direction = 'inbound' THEN timestamp END) AS received_at, "
        "max(CASE WHEN direction = 'outbound' THEN timestamp END) AS sent_at, "
        "max(CASE WHEN seen = 0 AND hidden = 0 THEN 1 ELSE 0 END) AS unread, "
        "min(hidden) AS hidden, sum(hidden) AS hidden_count, min(timestamp) AS oldest "
        "FROM message WHERE thread_id = ?",
        thread_id,
    )
    if not sums or not sums["n"]:
        current = current_thread_id(tx, thread_id)
        if current != thread_id:
            return refresh(tx, current, changed)
        forget_thread(tx, thread_id)
        remove_thread(tx, thread_id)
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
            "created_at": sums["oldest"],
            "updated_at": last["timestamp"] if changed is None else changed,
        },
    )
    return True


def bury(tx: Tx, thread_id: ThreadId) -> None:
    """Remember that a thread was deleted, so that later mail naming it makes a new one."""
    bury_roots(tx, thread_id)
