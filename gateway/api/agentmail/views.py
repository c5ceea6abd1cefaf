"""Rows of the index as the one superset JSON of both contracts (contracts: spec document and official SDKs).

Optional fields are ``null`` when there is nothing, as the spec document shows them; fields the SDKs require are
never null.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.api.times import iso, iso_of
from gateway.mime.types import Address
from gateway.records.drafts import Draft, DraftContent
from gateway.records.ids import public_id
from gateway.store.engine import Row
from gateway.store.json_columns import load


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
    """Where the whole message (.eml) can be had until ``expires_at``."""

    message_id: str
    size: int
    download_url: str
    expires_at: str


class MessageItem(msgspec.Struct):
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


class MessageView(msgspec.Struct):
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
    """A thread with its messages, oldest first; ``next_page_token`` leads to older ones."""

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
    """The ids of an accepted message."""

    message_id: str
    thread_id: str


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


def people(text: str) -> list[str]:
    """``Name <a@b>`` of each address of a ``*_json`` column."""
    if text == "[]":
        return []
    return [email if not name else str(Address(name, email)) for name, email in load(text)]


def person(text: str | None) -> str:
    """``Name <a@b>`` of ``from_json``; empty when the message names no sender."""
    if text is None:
        return ""
    name, email = load(text)
    return str(Address(name, email)) if name else str(email)


def attachment(facts: dict[str, Any]) -> AttachmentView:
    """One entry of ``attachments_json``."""
    return AttachmentView(
        attachment_public(facts["id"]),
        facts["filename"],
        facts["size"],
        facts["content_type"],
        facts["content_disposition"],
        facts["content_id"],
    )


def attachment_public(ref: str) -> str:
    """``att_…`` of an attachment's id."""
    return ref if ref.startswith("att_") else f"att_{ref}"


def _attachments(text: str) -> list[AttachmentView]:
    return [] if text == "[]" else [attachment(one) for one in load(text)]


def message_item(row: Row) -> MessageItem:
    """A row of ``core.mail.messages.list_messages``."""
    references = row["references_json"]
    return MessageItem(
        inbox_id=f"inb_{row['inbox_id']}",
        thread_id=f"thr_{row['thread_id']}",
        message_id=f"msg_{row['id']}",
        direction=row["direction"],
        labels=row["labels"],
        timestamp=iso_of(row["timestamp"]),
        from_=person(row["from_json"]),
        to=people(row["to_json"]),
        cc=people(row["cc_json"]) or None,
        bcc=people(row["bcc_json"]) or None,
        subject=row["subject"],
        preview=row["preview"],
        attachments=_attachments(row["attachments_json"]),
        in_reply_to=row["in_reply_to"],
        references=load(references) if references != "[]" else None,
        size=row["size"],
        created_at=iso_of(row["created_at"]),
        updated_at=iso_of(row["updated_at"]),
    )


def message_view(row: Row, *, bodies: bool = True) -> MessageView:
    """A row of ``core.mail.messages.get_message``."""
    references = row["references_json"]
    return MessageView(
        inbox_id=f"inb_{row['inbox_id']}",
        thread_id=f"thr_{row['thread_id']}",
        message_id=f"msg_{row['id']}",
        direction=row["direction"],
        labels=row["labels"],
        timestamp=iso_of(row["timestamp"]),
        from_=person(row["from_json"]),
        reply_to=people(row["reply_to_json"]) or None,
        to=people(row["to_json"]),
        cc=people(row["cc_json"]) or None,
        bcc=people(row["bcc_json"]) or None,
        subject=row["subject"],
        preview=row["preview"],
        text=row["text"] if bodies else None,
        html=row["html"] if bodies else None,
        extracted_text=row["extracted_text"] if bodies else None,
        extracted_html=row["extracted_html"] if bodies else None,
        attachments=_attachments(row["attachments_json"]),
        in_reply_to=row["in_reply_to"],
        references=load(references) if references != "[]" else None,
        headers=load(row["headers_json"]),
        size=row["size"],
        created_at=iso_of(row["created_at"]),
        updated_at=iso_of(row["updated_at"]),
    )


def thread_fields(row: Row) -> dict[str, Any]:
    """The fields of a thread's list item, from a row of ``core.mail.threads``."""
    return {
        "inbox_id": f"inb_{row['inbox_id']}",
        "thread_id": f"thr_{row['id']}",
        "labels": row["labels"],
        "timestamp": iso_of(row["timestamp"]),
        "received_timestamp": iso(row["received_at"]),
        "sent_timestamp": iso(row["sent_at"]),
        "senders": load(row["senders_json"]),
        "recipients": load(row["recipients_json"]),
        "subject": row["subject"],
        "preview": row["preview"],
        "attachments": [attachment(one) for one in row["attachments"]],
        "last_message_id": f"msg_{row['last_message_id']}",
        "message_count": row["message_count"],
        "size": row["size"],
        "created_at": iso_of(row["created_at"]),
        "updated_at": iso_of(row["updated_at"]),
    }


def thread_item(row: Row) -> ThreadItem:
    """A row of ``core.mail.threads.list_threads``."""
    return ThreadItem(**thread_fields(row))


def draft_fields(draft: Draft, content: DraftContent) -> dict[str, Any]:
    """The fields of a draft's list item."""
    return {
        "inbox_id": public_id("inb", draft.inbox_id),
        "draft_id": draft.public_id,
        "client_id": draft.client_id,
        "labels": draft.labels,
        "to": list(map(str, content.to)),
        "cc": list(map(str, content.cc)),
        "bcc": list(map(str, content.bcc)),
        "reply_to": list(map(str, content.reply_to)),
        "subject": content.subject,
        "preview": " ".join((content.text or "").split())[:200],
        "attachments": [attachment(msgspec.to_builtins(one)) for one in draft.attachments],
        "in_reply_to": public_id("msg", draft.in_reply_to),
        "forward_of": public_id("msg", draft.forward_of),
        "send_status": draft.send_status,
        "send_at": iso(draft.send_at),
        "send_error": content.failure,
        "created_at": iso_of(draft.created_at),
        "updated_at": iso_of(draft.updated_at),
    }


def draft_item(draft: Draft) -> DraftItem:
    """A draft as lists show it."""
    return DraftItem(**draft_fields(draft, draft.content))


def draft_view(draft: Draft) -> DraftView:
    """A draft with all that it says."""
    content = draft.content
    return DraftView(
        **draft_fields(draft, content),
        text=content.text,
        html=content.html,
        references=content.references or None,
        reply_all=draft.reply_all,
    )
