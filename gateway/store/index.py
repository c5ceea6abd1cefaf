"""Indexing a message: everything one message changes, inside the caller's transaction.

Identity: what we sent carries its ULID in its Message-ID; everything else gets a ULID derived
from (inbox, direction, Message-ID, digest of header and body), so a move, a new UIDVALIDITY or a rebuild
finds the row it had. The same octets delivered twice (a sender that missed our 250) are one message with two copies;
a copy in which a reader or our own checks see anything else is another message (``gateway.mime.identity``).
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import ClassVar

from msgspec.structs import replace

from gateway import metrics
from gateway.mime.types import ParsedMessage
from gateway.records.base import Record
from gateway.records.folders import FoundCopy
from gateway.records.ids import (
    MESSAGE_ID,
    ULID_TIME,
    InboxId,
    MessageId,
    ThreadId,
    new_ulid,
    now_us,
    number_of,
    own_message_ulid,
    ulid_time_us,
)
from gateway.records.inboxes import Inbox
from gateway.records.mail import Direction, Indexed, MessageStatus, Placed, addresses
from gateway.store import labels as labelling
from gateway.store import message_columns, reread, threads
from gateway.store.arrival_time import place_in_time, time_again
from gateway.store.contacts import note_recipients, with_contacts
from gateway.store.json_columns import dump
from gateway.store.pending_flags import add_pending, with_pending
from gateway.store.people import people_json
from gateway.store.queries.locations import (
    is_located,
    location_at,
    locations_of,
    mark_removed,
    put_location,
    remove_location,
)
from gateway.store.queries.outbox import all_recipients
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_COPYS_OWN = ("\\deleted", "\\draft", "\\recent")
"""Flags that say something of one copy, and nothing of the message."""


class _Known(Record, frozen=True):
    """What indexing asks of a message that is indexed."""

    table: ClassVar[str] = "message"

    id: MessageId
    inbox_id: InboxId
    thread_id: ThreadId
    direction: Direction


def direction_of(parsed: ParsedMessage, inbox: Inbox, copy: FoundCopy) -> Direction:
    """``outbound`` for the sender's own copy, known by evidence that travels with the message."""
    if copy.role in ("sent", "drafts"):
        return "outbound"
    if parsed.delivered_to and "+sent-" in parsed.delivered_to.partition("@")[0]:
        return "outbound"
    own = parsed.sender is not None and parsed.sender.email.lower() == inbox.address
    return "outbound" if own and not parsed.has_received else "inbound"


def index_found(
    tx: Tx, inbox: Inbox, copy: FoundCopy, parsed: ParsedMessage, *, again: bool = False
) -> Indexed | None:
    """Index a message found on the mail server, or note where one is that we know. Idempotent.

    ``again``: it is read anew, and keeps the time it was listed under. None: we have moved or deleted it since it was
    read there.
    """
    if _was_removed(tx, copy):
        return None
    changed = None if again else now_us()
    direction = direction_of(parsed, inbox, copy)
    at = parsed.received or parsed.date or copy.internal_date
    derived = MESSAGE_ID.derived(
        at, inbox.id, direction, parsed.message_id or "", _digest(inbox, direction, at, parsed)
    )
    message_id = derived
    if direction == "outbound" and parsed.message_id:
        message_id = own_message_ulid(parsed.message_id) or derived
    known = sql(tx).one(_Known, "WHERE id = ?", message_id)
    if known is not None and known.inbox_id != inbox.id:
        # our own Message-ID quoted by a stranger's mailbox: it keeps an id of its own
        message_id = derived
        known = sql(tx).one(_Known, "WHERE id = ?", message_id)
    twin = _twin(tx, inbox, direction, parsed, message_id) if known is None else None
    if twin is not None:
        message_id, known = twin.id, twin
        _share_flags(tx, inbox, message_id, copy)
    flags = " ".join(copy.flags)
    put_location(tx, copy.folder_id, copy.uid, message_id, inbox.id, flags, repeat=twin is not None)
    if known is not None:
        labels = _labels_now(tx, message_id) or set()
        if set_labels(tx, inbox, message_id, labels, note=True):
            threads.refresh(tx, known.thread_id, changed)
        return Indexed(message_id, known.thread_id, known.direction, new=False, labels=frozenset(labels))
    bcc = people_json(parsed.bcc)
    status = "received"
    if direction == "outbound":
        status, kept_bcc = _outcome(tx, message_id)
        if not parsed.bcc:  # older copies in Sent do not name them
            bcc = kept_bcc or bcc
    placed = insert_message(
        tx,
        inbox,
        message_id,
        parsed,
        direction=direction,
        status=status,
        at=at,
        delivered=copy.internal_date,
        again=again,
        bcc_json=bcc,
    )
    labels = _labels_at(tx, message_id, direction, copy.role, copy.folder, copy.flags)
    set_labels(tx, inbox, message_id, labels, new=True)
    threads.refresh(tx, placed.thread_id, changed)
    return Indexed(
        message_id,
        placed.thread_id,
        direction,
        new=True,
        labels=frozenset(labels),
        merged=placed.merged,
        at=placed.at,
        imitates=placed.imitates,
    )


def sandbox_labels(parsed: ParsedMessage) -> frozenset[str]:
    """The labels of a mail that came in the sandbox: no folder says them, and of the rules for what comes only that of
    DMARC is asked."""
    failed = ["unauthenticated"] if parsed.auth.dmarc == "fail" else []
    return frozenset(["received", "unread", *failed])


def index_from_outbox(
    tx: Tx, inbox: Inbox, message_id: MessageId, parsed: ParsedMessage, *, test: bool
) -> Placed:
    """Index a message again that is on no mail server: one that is held, or (``test``) of the sandbox, which was sent
    or is an answer of the simulator. Answers its thread. The caller refreshes it."""
    if test and own_message_ulid(parsed.message_id or "") != message_id:
        placed = insert_message(
            tx,
            inbox,
            message_id,
            parsed,
            direction="inbound",
            status="received",
            at=ulid_time_us(message_id),
            again=True,
            test=True,
        )
        set_labels(tx, inbox, message_id, sandbox_labels(parsed), new=True)
        return placed
    status, bcc = _outcome(tx, message_id)
    return insert_message(
        tx,
        inbox,
        message_id,
        parsed,
        direction="outbound",
        status=status,
        at=ulid_time_us(message_id),
        again=True,
        bcc_json=bcc or "[]",
        test=test,
    )


def insert_message(
    tx: Tx,
    inbox: Inbox,
    message_id: MessageId,
    parsed: ParsedMessage,
    *,
    direction: str,
    status: str,
    at: int,
    delivered: int | None = None,
    again: bool = False,
    bcc_json: str = "[]",
    test: bool = False,
    contacts: bool = True,
) -> Placed:
    """Write the rows of a message that is not there yet; answers its thread. The caller refreshes it.

    ``at``, ``delivered``: as ``place_in_time`` takes them; None: delivered at once. ``again``: as for ``index_found``.
    ``contacts``: whether whom it is sent to are contacts now; of a message that is held they are when it is approved.
    """
    now = now_us()
    if direction == "outbound":
        at -= at % 1_000_000  # an answer to it has whole seconds, and is listed after it
    if again:
        at = time_again(tx, inbox, message_id, at, at if delivered is None else delivered)
    else:
        at = place_in_time(tx, inbox, message_id, at, at if delivered is None else delivered)
    if direction == "inbound":
        parsed = replace(parsed, traits=with_contacts(tx, inbox.organization_id, inbox.id, parsed, at))
    elif contacts and not test:
        people = [*parsed.to, *parsed.cc, *(addresses(bcc_json))]
        note_recipients(tx, inbox, people, at, again=again)
    placed = threads.place(
        tx,
        inbox,
        own=parsed.message_id or message_id,
        in_reply_to=parsed.in_reply_to,
        references=parsed.references,
        subject=parsed.subject,
        at=at,
    )
    own = {
        "id": message_id,
        "number": number_of(message_id),
        "organization_id": inbox.organization_id,
        "inbox_id": inbox.id,
        "thread_id": placed.thread_id,
        "direction": direction,
        "rfc_message_id": parsed.message_id,
        "rfc_ref": threads.ref_of(parsed.message_id) if parsed.message_id else None,
        "bcc_json": bcc_json,
        "in_reply_to": parsed.in_reply_to[0] if parsed.in_reply_to else None,
        "references_json": dump(parsed.references[: threads.MAX_REFERENCES]),
        "size": parsed.size,
        "timestamp": at,
        "status": status,
        "seen": 1 if direction == "outbound" else 0,
        "test": int(test),
        "created_at": at,
        "updated_at": now,
    }
    sql(tx).insert("message", own | message_columns.of_message(parsed))
    sql(tx).insert("message_body", {"message_id": message_id} | message_columns.of_body(parsed))
    seq = sql(tx).value("SELECT seq FROM message WHERE id = ?", message_id)
    message_columns.make_searchable(tx, int(seq), parsed)
    if parsed.unread and not test:
        reread.note(tx, inbox.id, message_id)
    sql(tx).run("UPDATE inbox SET active_at = ? WHERE id = ? AND active_at < ?", at, inbox.id, at)
    tx.after_commit.append(metrics.messages.labels(direction).inc)
    imitates = parsed.traits.lookalike_of is not None or parsed.traits.named_like is not None
    return replace(placed, at=at, imitates=imitates)


def set_labels(
    tx: Tx,
    inbox: Inbox,
    message_id: MessageId,
    labels: Iterable[str],
    *,
    note: bool = False,
    new: bool = False,
) -> bool:
    """Make these the labels of a message, with ``seen`` and ``hidden`` to match. Answers whether any changed.

    ``note``: write the change into the inbox's log of labels (the labels a message begins with are none). ``new``: the
    message has no labels yet.
    """
    wanted = set(labels)
    now = set() if new else _labels_of(tx, message_id)
    for label in now - wanted:
        sql(tx).run("DELETE FROM label WHERE message_id = ? AND label = ?", message_id, label)
    for label in wanted - now:
        sql(tx).insert("label", {"message_id": message_id, "inbox_id": inbox.id, "label": label}, ignore=True)
    if note:
        for label in sorted(wanted ^ now):
            change = {"id": new_ulid(), "inbox_id": inbox.id, "message_id": message_id, "label": label}
            sql(tx).insert("label_change", {**change, "added": int(label in wanted), "created_at": now_us()})
    seen = 0 if "unread" in wanted else 1
    hidden = 1 if wanted & labelling.HIDDEN else 0
    if wanted != now:
        sql(tx).run(
            "UPDATE message SET seen = ?, hidden = ?, updated_at = ? WHERE id = ?",
            seen,
            hidden,
            now_us(),
            message_id,
        )
    else:
        sql(tx).run(
            "UPDATE message SET seen = ?, hidden = ? WHERE id = ? AND (seen <> ? OR hidden <> ?)",
            seen,
            hidden,
            message_id,
            seen,
            hidden,
        )
    return wanted != now


def add_labels(tx: Tx, inbox: Inbox, indexed: Indexed, labels: Set[str]) -> None:
    """Add labels that were decided when the message came (``ARRIVAL``); its thread follows."""
    if set_labels(tx, inbox, indexed.message_id, indexed.labels | labels):
        threads.refresh(tx, indexed.thread_id, now_us())


def apply_locations(tx: Tx, inbox: Inbox, message_id: MessageId) -> bool:
    """Recompute a message's labels from where it is now. Answers whether any changed."""
    labels = _labels_now(tx, message_id)
    return labels is not None and set_labels(tx, inbox, message_id, labels, note=True)


def _labels_now(tx: Tx, message_id: MessageId) -> set[str] | None:
    """The labels of a message by where it is now, with those decided when it came; None when it is nowhere.

    A message with several copies shows the folder it came to last, a copy that its sender repeated aside, and every
    flag that any copy bears: a further copy is no news.
    """
    copies = sql(tx).rows(
        "SELECT location.flags, folder.role, folder.name, message.direction FROM location "
        "JOIN folder ON folder.id = location.folder_id JOIN message ON message.id = location.message_id "
        'WHERE location.message_id = ? ORDER BY location."repeat", location.id DESC',
        message_id,
    )
    if not copies:
        return None
    row = copies[0]
    flags = [flag for copy in copies for flag in copy["flags"].split()]
    labels = _labels_at(tx, message_id, row["direction"], row["role"], row["name"], flags)
    return labels | (_labels_of(tx, message_id) & labelling.ARRIVAL)


def _labels_of(tx: Tx, message_id: MessageId) -> set[str]:
    """The labels that the index has of a message."""
    return {row["label"] for row in sql(tx).rows("SELECT label FROM label WHERE message_id = ?", message_id)}


def _labels_at(
    tx: Tx, message_id: MessageId, direction: str, role: str, folder: str, flags: Iterable[str]
) -> set[str]:
    """The labels that a folder and a copy's flags give, with the flags that are still owed to the mail server."""
    return labelling.of_place(direction, role, folder, with_pending(tx, message_id, flags))


def drop_location(tx: Tx, folder_id: int, uid: int) -> MessageId | None:
    """A UID vanished. Answers the ULID of its message when that is nowhere any more."""
    location = location_at(tx, folder_id, uid)
    if location is None:
        return None
    remove_location(tx, folder_id, uid)
    if location.removed or is_located(tx, location.message_id):
        return None
    return location.message_id


def delete_message(tx: Tx, message_id: MessageId) -> ThreadId | None:
    """Forget a message that is gone from the mail server; answers its thread, or None if it was unknown.

    Its locations are marked (``records.folders.REMOVED``). The caller refreshes the thread.
    """
    row = sql(tx).row("SELECT seq, thread_id FROM message WHERE id = ?", message_id)
    if row is None:
        return None
    sql(tx).run("DELETE FROM message_search WHERE rowid = ?", row["seq"])
    for table in ("label", "message_body", "attachment_text", "flags_owed", "reread", "listing_time"):
        sql(tx).run(f"DELETE FROM {table} WHERE message_id = ?", message_id)  # noqa: S608
    mark_removed(tx, message_id)
    sql(tx).run("DELETE FROM message WHERE id = ?", message_id)
    sql(tx).run(
        "UPDATE outbox SET mime = NULL WHERE id = ? AND state = 'done'", message_id
    )  # of a sandbox send
    return ThreadId(row["thread_id"])


def _digest(inbox: Inbox, direction: str, at: int, parsed: ParsedMessage) -> str:
    """What a message is derived from: see ``gateway.mime.identity``. What an inbox held before it knew fingerprints
    keeps the ids it had."""
    if direction == "inbound" and at >= inbox.fingerprints_since:
        return parsed.fingerprint
    return parsed.identity


def _twin(
    tx: Tx, inbox: Inbox, direction: str, parsed: ParsedMessage, message_id: MessageId
) -> _Known | None:
    """The row of the same mail that came at another time: a sender that missed our 250 repeats it minutes later.

    Its id has the same digest and only another time (``derived_ulid``).
    """
    if direction != "inbound" or not parsed.message_id:
        return None
    same_id = sql(tx).all(
        _Known,
        "WHERE inbox_id = ? AND rfc_ref = ? AND direction = ? ORDER BY seq LIMIT 100",
        inbox.id,
        threads.ref_of(parsed.message_id),
        direction,
    )
    return next((known for known in same_id if known.id[ULID_TIME:] == message_id[ULID_TIME:]), None)


def _was_removed(tx: Tx, copy: FoundCopy) -> bool:
    location = location_at(tx, copy.folder_id, copy.uid)
    return location is not None and location.removed


def _share_flags(tx: Tx, inbox: Inbox, message_id: MessageId, copy: FoundCopy) -> None:
    """A further copy of a message came: it is to bear the flags that the others bear."""
    own = {flag.lower() for flag in (*copy.flags, *_COPYS_OWN)}
    borne = {flag for location in locations_of(tx, message_id) for flag in location.flag_names}
    missing = {flag for flag in borne if flag.lower() not in own}
    if missing:
        add_pending(tx, inbox.id, message_id, add=missing)


def _outcome(tx: Tx, message_id: MessageId) -> tuple[str, str | None]:
    """Status and Bcc of a sent message whose row is being rebuilt, from the outbox that is kept."""
    recipients = all_recipients(tx, message_id)
    if not recipients:
        return "sent", None
    states: set[str] = {one.state for one in recipients if one.role != "sent"}
    bcc = [["", one.address] for one in recipients if one.role == "bcc"]
    return status_of(states), dump(bcc) if bcc else None


def status_of(states: set[str]) -> MessageStatus:
    """A message's status from its recipients' states: the worst news first."""
    if "bounced" in states:
        return "bounced"
    if states and states <= {"delivered"}:
        return "delivered"
    if states & {"sent", "delivered"}:
        return "sent"
    return "queued"
