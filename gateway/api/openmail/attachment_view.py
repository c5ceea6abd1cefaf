"""Attachments as OpenMail shows them in messages, webhooks and the WebSocket (contract §3, §6)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from gateway.mime.attachment_names import unique_names
from gateway.records.ids import MESSAGE_ID, MessageId
from gateway.records.mail import ReadAttachment

PENDING = "pending"
"""The ``extractionMethod`` of our own send until its copy is in Sent: it was not read yet."""


class AttachmentView(msgspec.Struct):
    """An attachment; ``parsedText`` is there only when text was taken from it."""

    filename: str
    contentType: str
    sizeBytes: int
    url: str
    extractionMethod: str
    parsedText: str | msgspec.UnsetType = msgspec.UNSET


def attachment_views(
    attachments: Sequence[ReadAttachment], message_id: MessageId, public_url: str
) -> list[AttachmentView]:
    """All attachments of a message (bare ULID)."""
    return [
        AttachmentView(
            filename=name,
            contentType=one.content_type,
            sizeBytes=one.size,
            url=attachment_url(public_url, message_id, name),
            extractionMethod=one.extraction_method or PENDING,
            parsedText=msgspec.UNSET if one.parsed_text is None else one.parsed_text,
        )
        for one, name in zip(attachments, unique_names(attachments), strict=True)
    ]


def attachment_url(public_url: str, message_id: MessageId, name: str) -> str:
    """``{base}/v1/attachments/msg_…/{name}``, percent-encoded (RFC 3986 §2.1)."""
    return f"{public_url}/v1/attachments/{MESSAGE_ID.public(message_id)}/{quote(name, safe='')}"
