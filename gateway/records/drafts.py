"""A draft: what it says, where its copy is in the mailbox, and when it is to be sent."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.mime.types import Address, Attachment
from gateway.records.base import Record
from gateway.records.folders import CopyKey
from gateway.records.ids import DRAFT_ID, DraftId, InboxId, MessageId, OrganizationId, ThreadId

SendStatus = Literal["scheduled", "sending", "failed", "sent", "gone"]
"""``sent`` and ``gone`` (out of its folder) are shown to nobody: see ``store.queries.drafts``."""

Origin = Literal["api", "imap"]
"""``imap``: a person wrote it in a mail client."""


class DraftContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a draft says, as column ``content_json`` holds it."""

    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    reply_to: list[Address]
    subject: str
    text: str | None
    html: str | None
    in_reply_to: str | None = None  # Message-ID of the original
    references: list[str] | None = None  # Message-IDs of the thread, the oldest first
    thread_id: ThreadId | None = None  # ULID of the thread that a reply belongs to
    failure: str | None = None  # why it could not be sent at its time

    @property
    def json(self) -> str:
        """The text of the column."""
        return _encoder.encode(self).decode()


EMPTY = DraftContent(to=[], cc=[], bcc=[], reply_to=[], subject="", text=None, html=None)
"""The content of a draft in which nothing is written yet."""

_encoder = msgspec.json.Encoder()
_content = msgspec.json.Decoder(DraftContent)
_attachments = msgspec.json.Decoder(list[Attachment])
_labels = msgspec.json.Decoder(list[str])


class Draft(Record, frozen=True):
    """A draft. Its MIME is in the mailbox's Drafts folder. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "draft"

    id: DraftId  # ULID; the public id is dft_ULID
    organization_id: OrganizationId
    inbox_id: InboxId
    client_id: str | None
    content_json: str
    attachments_json: str
    labels_json: str
    in_reply_to: MessageId | None  # ULID of the message that it answers
    forward_of: MessageId | None  # ULID of the message that it sends on
    reply_all: bool
    send_at: int | None
    send_status: SendStatus | None  # None: nobody scheduled it
    test: bool  # scheduled with a sandbox key: what goes at ``send_at`` is never delivered
    uid: int | None  # of its copy in the Drafts folder
    uidvalidity: int | None
    origin: Origin
    created_at: int
    updated_at: int

    @property
    def content(self) -> DraftContent:
        """What it says."""
        return _content.decode(self.content_json)

    @property
    def attachments(self) -> list[Attachment]:
        """Its files. ``part`` is empty when their octets are in table ``draft_file``."""
        return [] if self.attachments_json == "[]" else _attachments.decode(self.attachments_json)

    @property
    def labels(self) -> list[str]:
        """Its labels, sorted."""
        return _labels.decode(self.labels_json)

    @property
    def copy(self) -> CopyKey | None:
        """Its copy in the Drafts folder."""
        return None if self.uid is None or self.uidvalidity is None else (self.uidvalidity, self.uid)

    @property
    def public_id(self) -> str:
        """``dft_ULID``."""
        return DRAFT_ID.public(self.id)


class DraftKey(Record, frozen=True):
    """Whose a draft is, without what it says."""

    table: ClassVar[str] = "draft"

    id: DraftId
    organization_id: OrganizationId
    inbox_id: InboxId
    test: bool


class DraftCopy(Record, frozen=True):
    """Which copy in a Drafts folder a draft is known by."""

    table: ClassVar[str] = "draft"

    id: DraftId
    inbox_id: InboxId
    uid: int | None
    uidvalidity: int | None
    send_status: SendStatus | None
    origin: Origin
