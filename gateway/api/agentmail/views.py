"""Messages, threads and drafts as JSON that holds the fields of the spec document and of the official SDKs.

Optional fields are ``null`` when empty, as the spec document shows them; fields that the SDKs require are never null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.api.times import iso, iso_of
from gateway.api.traits import TraitsView, traits_view
from gateway.mime.attachment_names import names_of
from gateway.mime.types import Address, Attachment
from gateway.records.drafts import Draft, DraftContent
from gateway.records.ids import ATTACHMENT_ID, INBOX_ID, MESSAGE_ID, THREAD_ID, InboxId
from gateway.records.mail import ListedMessage, ListedThread, Mail


class AttachmentView(msgspec.Struct):
    """An attachment as messages, threads and drafts list it."""

    attachment_id: str
    filename: str | None
    size: int
    content_type: str | None
    content_disposition: str | None
    content_id: str | None


class AttachmentLink(msgspec.Struct):
    """An attachment with a link that works without a key until ``expires_at``."""

    attachment_id: str
    filename: str | None
    size: int
    content_type: str | None
    content_disposition: str | None
    content_id: str | None
    download_url: str
    expires_at: str


class RawLink(msgspec.Struct):
    """A link to the message (.eml) that works until ``expires_at``."""

    message_id: str
    size: int
    download_url: str
    expires_at: str


class MessageItem(TraitsView):
    """A message in a list."""

    inbox_id: str
    thread_id: str
    message_id: str
    direction: str
    labels: list[str]
    timestamp: str
    from_: str = msgspec.field(name="from")
    to: list[str]
    cc: list[str] | None
    bcc: list[str] | None
    subject: str
    preview: str
    attachments: list[AttachmentView]
    in_reply_to: str | None
    references: list[str] | None
    size: int
    created_at: str
    updated_at: str


class MessageView(TraitsView):
    """A whole message."""

    inbox_id: str
    thread_id: str
    message_id: str
    direction: str
    labels: list[str]
    timestamp: str
    from_: str = msgspec.field(name="from")
    reply_to: list[str] | None
    to: list[str]
    cc: list[str] | None
    bcc: list[str] | None
    subject: str
    preview: str
    text: str | None
    html: str | None
    extracted_text: str | None
    extracted_html: str | None
    attachments: list[AttachmentView]
    in_reply_to: str | None
    references: list[str] | None
    headers: dict[str, str]
    size: int
    created_at: str
    updated_at: str


class ThreadItem(msgspec.Struct):
    """A thread in a list."""

    inbox_id: str
    thread_id: str
    labels: list[str]
    timestamp: str
    received_timestamp: str | None
    sent_timestamp: str | None
    senders: list[str]
    recipients: list[str]
    subject: str
    preview: str
    attachments: list[AttachmentView]
    last_message_id: str
    message_count: int
    size: int
    created_at: str
    updated_at: str


class ThreadView(ThreadItem):
    """A thread with its messages, oldest first; ``next_page_token`` is for older ones."""

    messages: list[MessageView]
    count: int
    limit: int
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class Updated(msgspec.Struct):
    """The labels of a message after a change."""

    message_id: str
    labels: list[str]


class ThreadUpdated(msgspec.Struct):
    """The labels of a thread after a change."""

    thread_id: str
    labels: list[str]


class Batch(msgspec.Struct):
    """Messages in the order of ``message_ids``, without bodies; unknown ids are left out."""

    limit: int
    count: int
    messages: list[MessageView]


class BatchUpdated(msgspec.Struct):
    """The labels of each message that was found, in the order of ``message_ids``."""

    limit: int
    count: int
    updates: list[Updated]


class Sent(msgspec.Struct):
    """The ids of an accepted message. ``review_id``: only of one that is held until a person approves it."""

    message_id: str
    thread_id: str
    review_id: str | msgspec.UnsetType = msgspec.UNSET


class DraftItem(msgspec.Struct):
    """A draft in a list."""

    inbox_id: str
    draft_id: str
    client_id: str | None
    labels: list[str]
    to: list[str]
    cc: list[str]
    bcc: list[str]
    reply_to: list[str]
    subject: str
    preview: str
    attachments: list[AttachmentView]
    in_reply_to: str | None
    forward_of: str | None
    send_status: str | None
    send_at: str | None
    send_error: str | None
    created_at: str
    updated_at: str


class DraftView(DraftItem):
    """A whole draft."""

    text: str | None
    html: str | None
    references: list[str] | None
    reply_all: bool


def inbox_name(inbox_id: InboxId, addresses: Mapping[InboxId, str]) -> str:
    """What AgentMail calls an inbox: its address, or ``inb_…`` when the inbox is gone."""
    return addresses.get(inbox_id) or INBOX_ID.public(inbox_id)


def people(addresses: Iterable[Address]) -> list[str]:
    """``Name <a@b>`` of each address."""
    return [str(one) for one in addresses]


def attachment_views(attachments: Sequence[Attachment]) -> list[AttachmentView]:
    """The attachments of a message, thread or draft; one without a name has one made of its place and type."""
    return [
        AttachmentView(
            attachment_public(one.id),
            name,
            one.size,
            one.content_type,
            one.content_disposition,
            one.content_id,
        )
        for one, name in zip(attachments, names_of(attachments), strict=True)
    ]


def attachment_public(ref: str) -> str:
    """``att_…`` of an attachment's id."""
    return ref if ref.startswith("att_") else ATTACHMENT_ID.public(ref)


def message_item(listed: ListedMessage, addresses: Mapping[InboxId, str]) -> MessageItem:
    """A message in a list."""
    message = listed.message
    return MessageItem(
        inbox_id=inbox_name(message.inbox_id, addresses),
        thread_id=THREAD_ID.public(message.thread_id),
        message_id=message.public_id,
        direction=message.direction,
        labels=listed.labels,
        timestamp=iso_of(message.timestamp),
        from_=str(message.sender or ""),
        to=people(message.to),
        cc=people(message.cc) or None,
        bcc=people(message.bcc) or None,
        subject=message.subject,
        preview=message.preview,
        attachments=attachment_views(message.attachments),
        in_reply_to=message.in_reply_to,
        references=message.references or None,
        size=message.size,
        created_at=iso_of(message.created_at),
        updated_at=iso_of(message.updated_at),
        **traits_view(message),
    )


def message_view(mail: Mail, addresses: Mapping[InboxId, str]) -> MessageView:
    """A whole message. ``addresses``: of inboxes, by ULID."""
    message, texts = mail.message, mail.texts
    return MessageView(
        inbox_id=inbox_name(message.inbox_id, addresses),
        thread_id=THREAD_ID.public(message.thread_id),
        message_id=message.public_id,
        direction=message.direction,
        labels=mail.labels,
        timestamp=iso_of(message.timestamp),
        from_=str(message.sender or ""),
        reply_to=people(message.reply_to) or None,
        to=people(message.to),
        cc=people(message.cc) or None,
        bcc=people(message.bcc) or None,
        subject=message.subject,
        preview=message.preview,
        text=texts.text,
        html=texts.html,
        extracted_text=texts.extracted_text,
        extracted_html=texts.extracted_html,
        attachments=attachment_views(message.attachments),
        in_reply_to=message.in_reply_to,
        references=message.references or None,
        headers=message.headers,
        size=message.size,
        created_at=iso_of(message.created_at),
        updated_at=iso_of(message.updated_at),
        **traits_view(message),
    )


def thread_fields(listed: ListedThread, addresses: Mapping[InboxId, str]) -> dict[str, Any]:
    """The fields of a thread in a list."""
    thread = listed.thread
    return {
        "inbox_id": inbox_name(thread.inbox_id, addresses),
        "thread_id": thread.public_id,
        "labels": listed.labels,
        "timestamp": iso_of(thread.timestamp),
        "received_timestamp": iso(thread.received_at),
        "sent_timestamp": iso(thread.sent_at),
        "senders": thread.senders,
        "recipients": thread.recipients,
        "subject": thread.subject,
        "preview": thread.preview,
        "attachments": attachment_views(listed.attachments),
        "last_message_id": MESSAGE_ID.public(thread.last_message_id),
        "message_count": thread.message_count,
        "size": thread.size,
        "created_at": iso_of(thread.created_at),
        "updated_at": iso_of(thread.updated_at),
    }


def thread_item(listed: ListedThread, addresses: Mapping[InboxId, str]) -> ThreadItem:
    """A thread in a list."""
    return ThreadItem(**thread_fields(listed, addresses))


def draft_fields(draft: Draft, content: DraftContent, addresses: Mapping[InboxId, str]) -> dict[str, Any]:
    """The fields of a draft's list item."""
    return {
        "inbox_id": inbox_name(draft.inbox_id, addresses),
        "draft_id": draft.public_id,
        "client_id": draft.client_id,
        "labels": draft.labels,
        "to": list(map(str, content.to)),
        "cc": list(map(str, content.cc)),
        "bcc": list(map(str, content.bcc)),
        "reply_to": list(map(str, content.reply_to)),
        "subject": content.subject,
        "preview": " ".join((content.text or "").split())[:200],
        "attachments": attachment_views(draft.attachments),
        "in_reply_to": MESSAGE_ID.public(draft.in_reply_to),
        "forward_of": MESSAGE_ID.public(draft.forward_of),
        "send_status": draft.send_status,
        "send_at": iso(draft.send_at),
        "send_error": content.failure,
        "created_at": iso_of(draft.created_at),
        "updated_at": iso_of(draft.updated_at),
    }


def draft_item(draft: Draft, addresses: Mapping[InboxId, str]) -> DraftItem:
    """A draft as lists show it."""
    return DraftItem(**draft_fields(draft, draft.content, addresses))


def draft_view(draft: Draft, addresses: Mapping[InboxId, str]) -> DraftView:
    """A whole draft, as JSON."""
    content = draft.content
    return DraftView(
        **draft_fields(draft, content, addresses),
        text=content.text,
        html=content.html,
        references=content.references or None,
        reply_all=draft.reply_all,
    )
