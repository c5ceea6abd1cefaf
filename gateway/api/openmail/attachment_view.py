"""Attachments as OpenMail shows them in messages, webhooks and the WebSocket (contract §3, §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from gateway.mime.attachment_names import unique_names

PENDING = "pending"
"""The ``extractionMethod`` of our own send until its copy stands in Sent: it was not read yet."""


class AttachmentView(msgspec.Struct):
    """An attachment; ``parsedText`` is there only when text was taken from it."""

    filename: str
    contentType: str
    sizeBytes: int
    url: str
    extractionMethod: str
    parsedText: str | msgspec.UnsetType = msgspec.UNSET


def attachment_views(
    entries: Sequence[Mapping[str, Any]], message_id: str, public_url: str
) -> list[AttachmentView]:
    """All attachments of a message (bare ULID): ``entries`` as ``store.attachment_text`` or an event's snapshot
    has them."""
    return [
        attachment_view({**facts, "name": name}, message_id, public_url)
        for facts, name in zip(entries, unique_names(entries), strict=True)
    ]


def attachment_view(facts: Mapping[str, Any], message_id: str, public_url: str) -> AttachmentView:
    """One of them, with ``name`` as ``unique_names`` gives it (names are unique only within the whole list)."""
    name: str = facts["name"]
    text = facts.get("parsed_text")
    return AttachmentView(
        filename=name,
        contentType=facts["content_type"],
        sizeBytes=facts["size"],
        url=attachment_url(public_url, message_id, name),
        extractionMethod=facts.get("extraction_method") or PENDING,
        parsedText=msgspec.UNSET if text is None else text,
    )


def attachment_url(public_url: str, message_id: str, name: str) -> str:
    """``{base}/v1/attachments/msg_…/{name}``, percent-encoded (RFC 3986 §2.1)."""
    return f"{public_url}/v1/attachments/msg_{message_id}/{quote(name, safe='')}"
