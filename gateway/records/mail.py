"""Mail as the index holds it: messages, their texts and attachments, labels and threads.

A message's JSON columns are decoded here and nowhere else. Times are microseconds since the epoch (UTC).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.mime.types import Address, Attachment, AuthVerdict, Traits
from gateway.records.base import Record
from gateway.records.ids import MESSAGE_ID, THREAD_ID, EventId, InboxId, MessageId, OrganizationId, ThreadId

Position = tuple[int, int]
"""Where a message comes in the order of its inbox: (timestamp, seq)."""

Direction = Literal["inbound", "outbound"]
MessageStatus = Literal["received", "queued", "sent", "delivered", "bounced", "rejected", "complained"]


class ReadAttachment(Attachment, frozen=True, kw_only=True, omit_defaults=True):
    """An attachment, and what was read in it: how and, if there is any, the text. None: it was not read yet."""

    extraction_method: str | None = None
    parsed_text: str | None = None


_people = msgspec.json.Decoder(list[Address]).decode
_person = msgspec.json.Decoder(Address).decode
_texts = msgspec.json.Decoder(list[str]).decode
_attachments = msgspec.json.Decoder(list[Attachment]).decode
_read_attachments = msgspec.json.Decoder(list[ReadAttachment]).decode
_headers = msgspec.json.Decoder(dict[str, str]).decode
_auth = msgspec.json.Decoder(AuthVerdict).decode
_traits = msgspec.json.Decoder(Traits).decode
_NO_TRAITS = Traits()


class MessageItem(Record, frozen=True):
    """What lists show of a message."""

    table: ClassVar[str] = "message"

    id: MessageId  # ULID; the public id is msg_ULID
    seq: int  # the order of arrival
    number: int  # the id of the dialects that count
    organization_id: OrganizationId
    inbox_id: InboxId
    thread_id: ThreadId
    direction: Direction
    rfc_message_id: str | None  # with < >
    from_json: str | None
    from_email: str | None  # lower case
    reply_to_json: str
    to_json: str
    cc_json: str
    bcc_json: str
    subject: str
    preview: str
    in_reply_to: str | None
    references_json: str
    attachments_json: str
    size: int
    timestamp: int
    status: MessageStatus
    seen: bool
    hidden: bool  # spam, trash, blocked or unauthenticated: left out of lists by default
    auto_submitted: bool
    hidden_text: bool
    defects_json: str
    auth_json: str | None
    traits_json: str
    test: bool
    created_at: int
    updated_at: int

    @property
    def public_id(self) -> str:
        """``msg_ULID``."""
        return MESSAGE_ID.public(self.id)

    @property
    def sender(self) -> Address | None:
        """The first address of From."""
        return sender_of(self.from_json)

    @property
    def reply_to(self) -> list[Address]:
        """The addresses of Reply-To."""
        return addresses(self.reply_to_json)

    @property
    def to(self) -> list[Address]:
        """The addresses of To."""
        return addresses(self.to_json)

    @property
    def cc(self) -> list[Address]:
        """The addresses of Cc."""
        return addresses(self.cc_json)

    @property
    def bcc(self) -> list[Address]:
        """The addresses of Bcc, of what the inbox itself sent."""
        return addresses(self.bcc_json)

    @property
    def references(self) -> list[str]:
        """The Message-IDs of References, with < >."""
        return [] if self.references_json == "[]" else _texts(self.references_json)

    @property
    def attachments(self) -> list[Attachment]:
        """What the message has attached."""
        return attachments(self.attachments_json)

    @property
    def attachments_to_read(self) -> list[ReadAttachment]:
        """The same, to be given what was read in them."""
        return [] if self.attachments_json == "[]" else _read_attachments(self.attachments_json)

    @property
    def defects(self) -> list[str]:
        """What could not be read of it, as text."""
        return [] if self.defects_json == "[]" else _texts(self.defects_json)

    @property
    def auth(self) -> AuthVerdict:
        """What our mail server found out about the sender."""
        return AuthVerdict() if self.auth_json is None else _auth(self.auth_json)

    @property
    def traits(self) -> Traits:
        """What it is: list or bulk mail, for example."""
        return _NO_TRAITS if self.traits_json == "{}" else _traits(self.traits_json)


class Message(MessageItem, frozen=True):
    """A message without its texts."""

    rfc_ref: str | None  # hex digest of rfc_message_id, for look-ups
    headers_json: str
    attachment_bytes: int  # decoded octets, together
    truncated: bool  # its texts were cut for the index

    @property
    def headers(self) -> dict[str, str]:
        """Decoded header fields by name; repeated ones joined by newline."""
        return _headers(self.headers_json)


class MessageText(Record, frozen=True):
    """The bounded texts of a message; the whole ones are on the mail server."""

    table: ClassVar[str] = "message_body"

    message_id: MessageId
    text: str | None = None
    html: str | None = None
    extracted_text: str | None = None
    extracted_html: str | None = None
    one_time_code: str | None = None
    one_time_link: str | None = None


NO_TEXT = MessageText(MessageId(""))
"""Of a message whose texts are not there, or were not asked for."""


class ListedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as lists answer it. ``labels``: sorted; ``texts``: ``NO_TEXT`` unless they were asked for."""

    message: MessageItem
    labels: list[str]
    texts: MessageText = NO_TEXT

    @property
    def inbox_id(self) -> InboxId:
        """The ULID of its inbox."""
        return self.message.inbox_id


class Mail(ListedMessage, frozen=True, kw_only=True):
    """A whole message with its sorted labels; ``texts``: ``NO_TEXT`` unless they were asked for."""

    message: Message


class Thread(Record, frozen=True):
    """A conversation of one inbox."""

    table: ClassVar[str] = "thread"

    id: ThreadId  # ULID; the public id is thr_ULID
    number: int  # the id of the dialects that count
    organization_id: OrganizationId
    inbox_id: InboxId
    root: str  # hex digest of the root Message-ID
    subject: str
    preview: str
    last_message_id: MessageId
    message_count: int
    size: int
    timestamp: int
    last_seq: int  # of the last message: the order of threads active in the same second
    received_at: int | None
    sent_at: int | None
    senders_json: str
    recipients_json: str
    unread: bool  # a message of it that is not hidden is unread
    hidden: bool  # every message of it is hidden
    hidden_count: int
    created_at: int
    updated_at: int

    @property
    def public_id(self) -> str:
        """``thr_ULID``."""
        return THREAD_ID.public(self.id)

    @property
    def senders(self) -> list[str]:
        """Who wrote in it, as ``Name <address>``, the latest first."""
        return _texts(self.senders_json)

    @property
    def recipients(self) -> list[str]:
        """Whom it was sent to, bare addresses, the latest first."""
        return _texts(self.recipients_json)

    @property
    def shown_count(self) -> int:
        """How many of its messages are not hidden."""
        return self.message_count - self.hidden_count


class ThreadRoot(Record, frozen=True):
    """A root Message-ID of a thread that has several, and the id that it gives a thread (``store.thread_joins``)."""

    table: ClassVar[str] = "thread_root"

    thread_id: ThreadId  # the id of a thread with this root
    inbox_id: InboxId
    number: int
    root: str  # hex digest of the root Message-ID
    since: int  # the oldest message with this root
    current_id: ThreadId  # the thread that it is part of now


class Placed(msgspec.Struct, frozen=True):
    """The thread that a message came to. ``merged``: the threads that it joined to that one, whose ids redirect now.
    ``at``: the time that a new message is listed under (µs); ``imitates``: its sender looks like a contact."""

    thread_id: ThreadId
    merged: tuple[ThreadId, ...] = ()
    at: int = 0
    imitates: bool = False


class ListedThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread with the sorted labels and the attachments of all its messages."""

    thread: Thread
    labels: list[str]
    attachments: list[Attachment]

    @property
    def inbox_id(self) -> InboxId:
        """The ULID of its inbox."""
        return self.thread.inbox_id


class AttachmentText(Record, frozen=True):
    """What was read in an attachment: ``method`` and text, or a reason and none (``gateway.extract``)."""

    table: ClassVar[str] = "attachment_text"

    id: int
    inbox_id: InboxId
    message_id: MessageId
    attachment_id: str
    method: str
    text: str | None


class Indexed(msgspec.Struct, frozen=True):
    """A message that was just indexed. ``new``: the index did not know it; the last three: as in ``Placed``."""

    message_id: MessageId
    thread_id: ThreadId
    direction: Direction
    new: bool
    labels: frozenset[str]
    merged: tuple[ThreadId, ...] = ()
    at: int = 0
    imitates: bool = False

    @property
    def placed(self) -> Placed:
        """Its thread, and those that it joined to that."""
        return Placed(self.thread_id, self.merged)


class Label(Record, frozen=True):
    """A label that a message bears."""

    table: ClassVar[str] = "label"

    message_id: MessageId
    label: str


class LabelChange(Record, frozen=True):
    """A label that was put on or taken off a message."""

    table: ClassVar[str] = "label_change"

    seq: int
    id: EventId
    inbox_id: InboxId
    message_id: MessageId
    label: str
    added: bool
    created_at: int


class PendingFlags(Record, frozen=True):
    """Flags that the index has of a message, and its copies on the mail server do not have yet."""

    table: ClassVar[str] = "flags_owed"

    message_id: MessageId
    inbox_id: InboxId
    added: str  # space separated
    removed: str
    noted_at: int

    @property
    def to_add(self) -> set[str]:
        """The flags that the copies are to get."""
        return set(self.added.split())

    @property
    def to_remove(self) -> set[str]:
        """The flags that the copies are to lose."""
        return set(self.removed.split())


def sender_of(text: str | None) -> Address | None:
    """The address of a column that holds one ``[name, email]`` pair."""
    return None if text is None else _person(text)


def addresses(text: str) -> list[Address]:
    """The addresses of a column that holds ``[name, email]`` pairs."""
    return [] if text == "[]" else _people(text)


def attachments(text: str) -> list[Attachment]:
    """The attachments of a column that holds them."""
    return [] if text == "[]" else _attachments(text)
