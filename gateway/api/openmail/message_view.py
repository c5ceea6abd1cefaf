"""Messages and threads as OpenMail shows them (contract §3)."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.api.openmail.attachment_view import AttachmentView, attachment_views
from gateway.api.times import iso_of
from gateway.mime.delivery_role import delivery_role
from gateway.records.inboxes import Inbox
from gateway.store.engine import Row
from gateway.store.people import emails_of, people_of, person_of

Status = Literal["pending", "sent", "received", "failed"]
Direction = Literal["inbound", "outbound"]

_STATUS: dict[str, Status] = {
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
    sender wrote; ``deliveryRole`` is null when the inbox stands in neither To nor Cc (a blind copy, a list)."""

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
    subject: str
    is_read: bool
    data: list[MessageView]


def message_view(row: Row, inbox: Inbox, public_url: str) -> MessageView:
    """A message row with ``text``, ``html`` and ``attachments`` (``core.mail.attachment_text``), of ``inbox``."""
    sender = person_of(row["from_json"])
    to, cc = people_of(row["to_json"]), people_of(row["cc_json"])
    inbound = row["direction"] == "inbound"
    written = ",".join(one.email for one in to)
    first = [*to, *cc, *people_of(row["bcc_json"])][:1]
    return MessageView(
        id=f"msg_{row['id']}",
        thread_id=f"thr_{row['thread_id']}",
        inbox_id=f"inb_{row['inbox_id']}",
        direction=row["direction"],
        from_addr=sender.email if sender else "",
        to_addr=inbox.address if inbound else first[0].email if first else "",
        header_to=written if inbound and written else None,
        delivery_role=delivery_role(inbox.address, to, cc) if inbound else None,
        cc=emails_of(row["cc_json"]),
        subject=row["subject"],
        body_text=row["text"] or "",
        body_html=row["html"] or "",
        attachments=attachment_views(row["attachments"], row["id"], public_url),
        status=_STATUS[row["status"]],
        created_at=iso_of(row["created_at"]),
    )


def thread_view(row: Row) -> ThreadView:
    """A thread row; what stands in spam or trash is not counted."""
    return ThreadView(
        id=f"thr_{row['id']}",
        inbox_id=f"inb_{row['inbox_id']}",
        subject=row["subject"],
        is_read=not row["unread"],
        last_message_at=iso_of(row["timestamp"]),
        created_at=iso_of(row["created_at"]),
        message_count=row["message_count"] - row["hidden_count"],
    )
