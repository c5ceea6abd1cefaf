"""Messages and threads as OpenMail shows them (contract §3)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

import msgspec

from gateway.api.calendar_view import CalendarEventView
from gateway.api.openmail.attachment_view import AttachmentView, attachment_views
from gateway.api.openmail.classification import Verdict, classify
from gateway.api.openmail.trust_view import CamelTrustView, camel
from gateway.api.times import iso_of
from gateway.api.traits import traits_view
from gateway.mime.delivery_role import delivery_role
from gateway.mime.types import Category, HiddenText, Risk
from gateway.records.ids import INBOX_ID, THREAD_ID
from gateway.records.inboxes import Inbox
from gateway.records.mail import Direction, ListedMessage, MessageStatus, ReadAttachment, Thread

Doc = msgspec.Meta

Status = Literal["pending", "sent", "received", "failed"]

_STATUS: dict[MessageStatus, Status] = {
    "received": "received",
    "queued": "pending",
    "sent": "sent",
    "delivered": "sent",
    "complained": "sent",
    "bounced": "failed",
    "rejected": "failed",
}


class MessageView(msgspec.Struct, rename="camel"):
    """A message; addresses are bare. ``toAddr`` of inbound mail is this inbox's address, ``headerTo`` what the
    sender wrote; ``deliveryRole`` is null when the inbox is in neither To nor Cc (a blind copy, a list)."""

    id: str
    thread_id: str
    inbox_id: str
    direction: Direction
    from_addr: str
    to_addr: str
    header_to: str | None
    delivery_role: Literal["to", "cc"] | None
    cc: list[str]
    subject: str
    body_text: str
    body_html: str
    attachments: list[AttachmentView]
    status: Status
    created_at: str
    auto_submitted: bool
    bulk: bool
    list_id: str | None
    defects: list[str]
    unlisted_attachments: int
    calendar: list[CalendarEventView]
    trust: CamelTrustView | None
    hidden_text: HiddenText | None
    risk: Risk
    auto_replyable: Annotated[
        bool | None, Doc(description="whether an agent may answer it by itself; null for what the inbox sent")
    ]
    category: Annotated[Category | None, Doc(description="what kind of mail it is")]
    verdict: Annotated[
        Verdict | None,
        Doc(description="suspicious: it failed DMARC; spam and malicious: a filter or a person says so"),
    ]
    spam_score: Annotated[float | None, Doc(description="what a spam filter gave it; null: none did")]


class ThreadView(msgspec.Struct, rename="camel"):
    """A conversation of one inbox."""

    id: str
    inbox_id: str
    subject: str
    is_read: bool
    last_message_at: str
    created_at: str
    message_count: int


class ThreadMessages(msgspec.Struct, rename="camel"):
    """A thread with its messages, oldest first."""

    thread_id: str
    inbox_id: str
    subject: str
    is_read: bool
    data: list[MessageView]


def message_view(
    mail: ListedMessage,
    attachments: Sequence[ReadAttachment],
    inbox: Inbox,
    own: Collection[str],
    public_url: str,
) -> MessageView:
    """A message of ``inbox`` with its attachments (``core.mail.attachment_text``). ``own``: the inbox's addresses among
    those that it names (``store.own_addresses``)."""
    message = mail.message
    sender, to, cc = message.sender, message.to, message.cc
    inbound = message.direction == "inbound"
    written = ",".join(one.email for one in to)
    first = [*to, *cc, *message.bcc][:1]
    return MessageView(
        id=message.public_id,
        thread_id=THREAD_ID.public(message.thread_id),
        inbox_id=INBOX_ID.public(message.inbox_id),
        direction=message.direction,
        from_addr=sender.email if sender else "",
        to_addr=inbox.address if inbound else first[0].email if first else "",
        header_to=written if inbound and written else None,
        delivery_role=delivery_role(own, to, cc) if inbound else None,
        cc=[one.email for one in cc],
        subject=message.subject,
        body_text=mail.texts.text or "",
        body_html=mail.texts.html or "",
        attachments=attachment_views(attachments, message.id, public_url),
        status=_STATUS[message.status],
        created_at=iso_of(message.created_at),
        **camel(traits_view(message)),
        **classify(message, mail.labels, inbox.address)._asdict(),
    )


def thread_view(thread: Thread) -> ThreadView:
    """A thread; what is in spam or trash is not counted."""
    return ThreadView(
        id=thread.public_id,
        inbox_id=INBOX_ID.public(thread.inbox_id),
        subject=thread.subject,
        is_read=not thread.unread,
        last_message_at=iso_of(thread.timestamp),
        created_at=iso_of(thread.created_at),
        message_count=thread.shown_count,
    )
