"""Statements about accepted messages and their recipients. Claims have a module of their own (``outbox_claims``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict, Unpack

import msgspec

from gateway.mime.types import Address
from gateway.records.base import Record
from gateway.records.ids import (
    MESSAGE_ID,
    OUTBOX_ID,
    InboxId,
    MessageId,
    OrganizationId,
    now_us,
    own_message_ulid,
)
from gateway.records.mail import addresses
from gateway.records.outbox import OutboxEntry, OutboxRecipient, RecipientState
from gateway.store.listing import Listing, Window, page
from gateway.store.queries.inboxes import unscoped_inbox_addresses
from gateway.store.record_shape import shape_of
from gateway.store.scope import Scope
from gateway.store.sql import LARGE, sql
from gateway.store.transaction import Tx

FAR = 1 << 62
"""``next_at`` of settled entries, so that the index of what is due never walks over them."""
PARKED = 1 << 61
"""Added to ``next_at`` of what is due and paused (``store.queries.pauses``): later than any time, before ``FAR``."""
_UNSETTLED = "state IN ('queued', 'attempting')"
_PEOPLE = "role <> 'sent'"


class SentMessage(Record, frozen=True):
    """What names a message of the outbox: to reports, and to a relay that gives it another Message-ID."""

    table: ClassVar[str] = "outbox"

    id: MessageId
    inbox_id: InboxId
    message_id: str

    @property
    def own(self) -> bool:
        """Whether it was accepted through the API (it has a message row), not handed in by a mail client."""
        return own_message_ulid(self.message_id) == self.id


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message that is not settled. ``inbox``: its inbox's address; ``subject``: of what the API sent."""

    entry: OutboxEntry
    inbox: str | None
    subject: str | None
    recipients: Sequence[OutboxRecipient]

    @property
    def parked(self) -> bool:
        """Whether it was due and waits for the end of a pause."""
        return PARKED <= self.entry.next_at < FAR

    @property
    def own(self) -> bool:
        """Whether it was accepted through the API, not handed in by a mail client."""
        return own_message_ulid(self.entry.message_id) == self.entry.id

    @property
    def public_id(self) -> str:
        """``msg_ULID`` of what the API sent, ``out_ULID`` of what a mail client handed in."""
        return (MESSAGE_ID if self.own else OUTBOX_ID).public(self.entry.id)


@dataclass(frozen=True, slots=True)
class NewRecipient:
    """A recipient of a new entry. ``token``: of a return path of its own."""

    address: str
    role: str
    token: str | None = None


class RecipientReply(TypedDict, total=False):
    """What a server says of a recipient, and when it did."""

    code: int | None
    status: str | None
    diagnostic: str | None
    remote: str | None
    updated_at: int


class RecipientChanges(RecipientReply, total=False):
    """Columns of a recipient that change."""

    state: RecipientState


# --- of one organization ---


def list_waiting(tx: Tx, scope: Scope, window: Window, inbox_id: InboxId | None) -> Listing[WaitingMessage]:
    """The messages that are not settled, of one inbox or of all that the key reaches (the operator's: every one)."""
    where, args = _reach(scope, inbox_id)
    found = page(tx, OutboxEntry, f"next_at < ? AND {where}", [FAR, *args], window)
    return Listing(_dressed(tx, found.rows), found.total, found.next)


def waiting_message(tx: Tx, scope: Scope, outbox_id: MessageId | None) -> WaitingMessage | None:
    """One message that is not settled, if the key reaches its inbox."""
    where, args = _reach(scope, None)
    entry = sql(tx).one(OutboxEntry, f"WHERE id = ? AND {where}", outbox_id, *args)
    return None if entry is None or entry.state != "queued" else _dressed(tx, [entry])[0]


def make_all_due(tx: Tx, scope: Scope, inbox_id: InboxId | None) -> int:
    """Make every waiting message due now, of one inbox or of all that the key reaches; answers how many were put
    forward. Those that are being sent, are due already, or wait for the end of a pause are left alone."""
    where, args = _reach(scope, inbox_id)
    now = now_us()
    return sql(tx).run(
        "UPDATE outbox SET next_at = ?, updated_at = ? "  # noqa: S608
        f"WHERE state = 'queued' AND claimed_until IS NULL AND next_at > ? AND next_at < ? AND {where}",
        now,
        now,
        now,
        PARKED,
        *args,
    )


def _reach(scope: Scope, inbox_id: InboxId | None) -> tuple[str, list[object]]:
    """(condition, parameters) of the rows of ``outbox`` that a key may see. ``inbox_id``: of an inbox it reaches."""
    if inbox_id is not None:
        return "inbox_id = ?", [inbox_id]
    if scope.operator:
        return "1 = 1", []
    where, args = scope.inbox_where("inbox")
    return f"inbox_id IN (SELECT id FROM inbox WHERE {where})", args  # noqa: S608


def _dressed(tx: Tx, entries: Sequence[OutboxEntry]) -> list[WaitingMessage]:
    """Entries with their inbox's address, their subject and their recipients, for one statement each."""
    if not entries:
        return []
    ids = [entry.id for entry in entries]
    marks = _marks(ids)
    addresses = unscoped_inbox_addresses(tx, {entry.inbox_id for entry in entries})
    subjects = {
        row["id"]: row["subject"]
        for row in sql(tx).rows(f"SELECT id, subject FROM message WHERE id IN ({marks})", *ids)  # noqa: S608
    }
    inboxes = {entry.id: addresses.get(entry.inbox_id) for entry in entries}
    people: dict[MessageId, list[OutboxRecipient]] = {one: [] for one in ids}
    for one in sql(tx).all(OutboxRecipient, f"WHERE outbox_id IN ({marks}) ORDER BY id", *ids):
        people[one.outbox_id].append(_shown(one, inboxes[one.outbox_id] or ""))
    return [
        WaitingMessage(entry, inboxes[entry.id], subjects.get(entry.id), people[entry.id])
        for entry in entries
    ]


def _shown(one: OutboxRecipient, inbox: str) -> OutboxRecipient:
    """A recipient as others may see it: the Sent copy's own address is the mail server's secret, and replies name
    it."""
    if one.role != "sent":
        return one
    said = (one.diagnostic or "").replace(one.address, inbox)
    return msgspec.structs.replace(one, address=inbox, diagnostic=said)


def blind_people(tx: Tx, outbox_id: MessageId) -> list[Address]:
    """Whom a message goes to blindly, with the names that its index row has."""
    rows = sql(tx).rows(
        "SELECT address FROM outbox_recipient WHERE outbox_id = ? AND role = 'bcc' ORDER BY id", outbox_id
    )
    if not rows:
        return []
    kept = sql(tx).value("SELECT bcc_json FROM message WHERE id = ?", outbox_id)
    names = {one.email.lower(): one.name for one in addresses(kept)} if kept else {}
    return [Address(names.get(row["address"].lower(), ""), row["address"]) for row in rows]


# --- what a report is about ---


def sent_with_token(tx: Tx, organization: OrganizationId, token: str) -> SentMessage | None:
    """The organization's message with this token in its return path."""
    return sql(tx).one(SentMessage, "WHERE token = ? AND organization_id = ?", token, organization)


def sent_to_token(tx: Tx, organization: OrganizationId, token: str) -> tuple[SentMessage, int] | None:
    """The organization's message of which one recipient has this token, and that recipient's row id."""
    row = sql(tx).row(
        "SELECT outbox.id, outbox.inbox_id, outbox.message_id, outbox_recipient.id AS person FROM outbox_recipient "
        "JOIN outbox ON outbox.id = outbox_recipient.outbox_id "
        "WHERE outbox_recipient.token = ? AND outbox.organization_id = ?",
        token,
        organization,
    )
    if row is None:
        return None
    return SentMessage(row["id"], row["inbox_id"], row["message_id"]), int(row["person"])


def sent_message(tx: Tx, organization: OrganizationId, outbox_id: MessageId | None) -> SentMessage | None:
    """The organization's message with this ULID."""
    return sql(tx).one(SentMessage, "WHERE id = ? AND organization_id = ?", outbox_id, organization)


def unscoped_sent_message(tx: Tx, outbox_id: MessageId) -> SentMessage | None:
    """The message with this ULID, of any organization."""
    return sql(tx).one(SentMessage, "WHERE id = ?", outbox_id)


def unscoped_sent_with_tokens(tx: Tx, tokens: Collection[str]) -> dict[str, SentMessage]:
    """Messages by the token of their return path."""
    rows = sql(tx).rows(
        f"SELECT id, inbox_id, message_id, token FROM outbox WHERE token IN ({_marks(tokens)})",  # noqa: S608
        *tokens,
    )
    return {row["token"]: SentMessage(row["id"], row["inbox_id"], row["message_id"]) for row in rows}


# --- of one message ---


def hold_entry(tx: Tx, outbox_id: MessageId) -> OutboxEntry | None:
    """An entry, which nobody can claim until the transaction ends."""
    lock = " FOR UPDATE" if tx.postgres else ""  # SQLite has one writer at a time
    return sql(tx).one(OutboxEntry, f"WHERE id = ?{lock}", outbox_id)


def accepted_entry(tx: Tx, inbox_id: InboxId, outbox_id: MessageId) -> OutboxEntry | None:
    """The entry of an inbox's message that was accepted; None once it is kept no more."""
    return sql(tx).one(OutboxEntry, "WHERE id = ? AND inbox_id = ?", outbox_id, inbox_id)


def mime_of(tx: Tx, outbox_id: MessageId) -> bytes | None:
    """The message's octets; None when it is gone or settled."""
    return sql(tx).octets("SELECT mime FROM outbox WHERE id = ?", outbox_id)


def held_octets(tx: Tx, inbox_id: InboxId, outbox_id: MessageId) -> int | None:
    """The size of a message of an inbox whose octets the outbox holds; None when it holds none."""
    query = "SELECT size FROM outbox WHERE id = ? AND inbox_id = ? AND mime IS NOT NULL"
    size = sql(tx).value(query, outbox_id, inbox_id)
    return None if size is None else int(size)


def is_being_sent(tx: Tx, outbox_id: MessageId) -> bool:
    """Whether a message is still on its way."""
    return sql(tx).value("SELECT 1 FROM outbox WHERE id = ? AND state <> 'done'", outbox_id) is not None


def people_of(tx: Tx, outbox_id: MessageId) -> list[OutboxRecipient]:
    """The recipients of a message, without the copy for the Sent folder."""
    return sql(tx).all(OutboxRecipient, f"WHERE outbox_id = ? AND {_PEOPLE} ORDER BY id", outbox_id)


def people_ids(tx: Tx, outbox_id: MessageId) -> frozenset[int]:
    """The row ids of the recipients of a message, without the copy for the Sent folder."""
    rows = sql(tx).rows(f"SELECT id FROM outbox_recipient WHERE outbox_id = ? AND {_PEOPLE}", outbox_id)  # noqa: S608
    return frozenset(row["id"] for row in rows)


def people_states(tx: Tx, outbox_id: MessageId) -> set[str]:
    """The states that recipients of a message are in, without the copy for the Sent folder."""
    rows = sql(tx).rows(
        f"SELECT DISTINCT state FROM outbox_recipient WHERE outbox_id = ? AND {_PEOPLE}",  # noqa: S608
        outbox_id,
    )
    return {row["state"] for row in rows}


def all_recipients(tx: Tx, outbox_id: MessageId) -> list[OutboxRecipient]:
    """The recipients of a message, with the copy for the Sent folder."""
    return sql(tx).all(OutboxRecipient, "WHERE outbox_id = ?", outbox_id)


def unsettled_recipients(tx: Tx, outbox_id: MessageId) -> list[OutboxRecipient]:
    """The recipients of a message that are still to be served, with the copy for the Sent folder."""
    return sql(tx).all(OutboxRecipient, f"WHERE outbox_id = ? AND {_UNSETTLED} ORDER BY id", outbox_id)


# --- of any organization ---


def unscoped_waiting_count(tx: Tx) -> int:
    """How many messages are not settled."""
    return int(sql(tx).value("SELECT count(*) FROM outbox WHERE next_at < ?", FAR))


def unscoped_oldest_waiting(tx: Tx) -> int | None:
    """Since when (µs) the oldest message that is not settled may leave."""
    found = sql(tx).value("SELECT min(coalesce(queued_at, created_at)) FROM outbox WHERE next_at < ?", FAR)
    return None if found is None else int(found)


def unscoped_doubt_waiting(tx: Tx) -> int:
    """Mark every recipient that waits, of held messages too, as one whose attempt has no recorded outcome; answers how
    many messages wait to be sent."""
    sql(tx).run(
        "UPDATE outbox_recipient SET state = 'attempting' WHERE state = 'queued' "
        "AND outbox_id IN (SELECT id FROM outbox WHERE state IN ('queued', 'held'))"
    )
    return int(sql(tx).value("SELECT count(*) FROM outbox WHERE state = 'queued'"))


def unscoped_forget_settled(tx: Tx, before: int, most: int) -> int:
    """Delete up to ``most`` messages that were settled before ``before`` (µs); answers how many."""
    rows = sql(tx).rows("SELECT id FROM outbox WHERE state = 'done' AND updated_at < ? LIMIT ?", before, most)
    for row in rows:
        remove_entry(tx, row["id"])
    return len(rows)


# --- changes ---


def add_entry(tx: Tx, entry: OutboxEntry, mime: bytes, recipients: Iterable[NewRecipient]) -> None:
    """Write a message with its octets and recipients. Recipients of a settled one are delivered."""
    large = len(mime) > LARGE
    sql(tx).insert("outbox", {**shape_of(OutboxEntry).row(entry), "mime": b"" if large else mime})
    if large:
        sql(tx).keep_octets("outbox", "mime", entry.id, mime)
    for one in recipients:
        _add_recipient(
            tx, entry.id, one, "delivered" if entry.state == "done" else "queued", entry.created_at
        )


def replace_held(tx: Tx, outbox_id: MessageId, mime: bytes, recipients: Iterable[NewRecipient]) -> None:
    """Put other octets and recipients in the place of a held message's; the copy for the Sent folder stays."""
    now = now_us()
    large = len(mime) > LARGE
    sql(tx).run(
        "UPDATE outbox SET mime = ?, size = ?, updated_at = ? WHERE id = ? AND state = 'held'",
        b"" if large else mime,
        len(mime),
        now,
        outbox_id,
    )
    if large:
        sql(tx).keep_octets("outbox", "mime", outbox_id, mime)
    sql(tx).run(f"DELETE FROM outbox_recipient WHERE outbox_id = ? AND {_PEOPLE}", outbox_id)  # noqa: S608
    for one in recipients:
        _add_recipient(tx, outbox_id, one, "queued", now)


def _add_recipient(tx: Tx, outbox_id: MessageId, one: NewRecipient, state: RecipientState, at: int) -> None:
    sql(tx).insert(
        "outbox_recipient",
        {
            "outbox_id": outbox_id,
            "address": one.address,
            "role": one.role,
            "state": state,
            "attempts": 0,
            "updated_at": at,
            "token": one.token,
        },
    )


def make_due(tx: Tx, outbox_id: MessageId) -> None:
    """Have a message tried now."""
    now = now_us()
    sql(tx).run("UPDATE outbox SET next_at = ?, updated_at = ? WHERE id = ?", now, now, outbox_id)


def settle_entry(tx: Tx, outbox_id: MessageId, size: int, at: int) -> None:
    """Every recipient is served or given up: drop the octets (``size`` of them) and the claim."""
    statements = sql(tx)
    statements.large = statements.large or size > LARGE
    statements.run(
        "UPDATE outbox SET state = 'done', mime = NULL, claimed_until = NULL, next_at = ?, updated_at = ? "
        "WHERE id = ?",
        FAR,
        at,
        outbox_id,
    )


def change_recipient(tx: Tx, recipient_id: int, **changes: Unpack[RecipientChanges]) -> None:
    """Change columns of a recipient."""
    sql(tx).update("outbox_recipient", "id", recipient_id, dict(changes))


def remove_entry(tx: Tx, outbox_id: MessageId) -> None:
    """Delete a message, its recipients and what was said of them."""
    sql(tx).run("DELETE FROM outbox_reply WHERE outbox_id = ?", outbox_id)
    sql(tx).run("DELETE FROM outbox_recipient WHERE outbox_id = ?", outbox_id)
    sql(tx).run("DELETE FROM outbox WHERE id = ?", outbox_id)


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
