"""What the outbox keeps of accepted messages: one entry a message, one row a recipient."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.records.base import Record
from gateway.records.ids import InboxId, KeyId, MessageId, OrganizationId

OutboxState = Literal["queued", "held", "done"]  # held: until a review is decided
RecipientRole = Literal["to", "cc", "bcc", "sent"]  # sent: the copy for the Sent folder
RecipientState = Literal["queued", "attempting", "sent", "delivered", "bounced"]
ReplySource = Literal["attempt", "report", "operator"]


class OutboxEntry(Record, frozen=True):
    """An accepted message on its way out, without its octets. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "outbox"

    id: MessageId  # the message's ULID
    organization_id: OrganizationId
    inbox_id: InboxId
    mail_from: str  # the return path; empty: the null sender of our own notifications
    message_id: str  # with < >
    token: str  # in the return path and the ENVID
    size: int  # octets
    state: OutboxState
    next_at: int  # when it is due; of a claimed one the end of its claim
    attempts: int
    claimed_until: int | None
    claimed_by: str | None  # the process, where there are several (``store.leases``)
    created_at: int
    updated_at: int
    key_id: KeyId | None = None  # the API key that asked for it
    queued_at: int | None = (
        None  # since when it may leave, where that is later than ``created_at``: it was held
    )


class OutboxRecipient(Record, frozen=True):
    """A recipient of an entry, with the last reply of its server."""

    table: ClassVar[str] = "outbox_recipient"

    id: int
    outbox_id: MessageId
    address: str
    role: RecipientRole
    state: RecipientState
    code: int | None  # SMTP reply code (RFC 5321 §4.2)
    status: str | None  # enhanced status code (RFC 3463)
    diagnostic: str | None  # the reply's words
    remote: str | None  # the server that gave it
    attempts: int
    updated_at: int
    token: str | None  # of a return path of its own


class OutboxReply(Record, frozen=True):
    """What was said of a recipient, and what it led to. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "outbox_reply"

    id: int
    outbox_id: MessageId
    address: str
    source: ReplySource  # a server's reply to an attempt, a report that came later, the operator's decision
    state: RecipientState  # what it led to
    number: int  # of the message's attempts; 0 where it was none
    code: int | None  # SMTP reply code (RFC 5321 §4.2)
    status: str | None  # enhanced status code (RFC 3463)
    said: str | None  # the words, cut
    remote: str | None  # the server that gave it
    at: int
    next_at: int | None  # when the next attempt was planned for, of one that was put off
