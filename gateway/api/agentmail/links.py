"""Download links: the metadata of a file with a URL that expires (``gateway.api.downloads``)."""

from __future__ import annotations

from typing import Any

from gateway.api.agentmail.views import AttachmentLink, RawLink, attachment_public
from gateway.api.downloads import signed_url
from gateway.api.routing import Call
from gateway.api.times import iso_of
from gateway.core.mail.attachments import Found
from gateway.records.mail import Message

PREFIX = "/api/v0"


def raw_link(call: Call[Any, Any], message: Message) -> RawLink:
    """The link to a whole message."""
    url, expires = _url(call, "raw", message.id, "")
    return RawLink(message.public_id, message.size, url, expires)


def file_link(call: Call[Any, Any], found: Found) -> AttachmentLink:
    """The metadata of an attachment with its link."""
    url, expires = _url(call, found.kind, found.owner, found.attachment.id)
    one = found.attachment
    return AttachmentLink(
        attachment_public(one.id),
        found.name,
        one.size,
        one.content_type,
        one.content_disposition,
        one.content_id,
        url,
        expires,
    )


def _url(call: Call[Any, Any], kind: str, owner: str, part: str) -> tuple[str, str]:
    seconds = call.core.settings.http.signed_url_seconds
    url, expires = signed_url(call, PREFIX, kind, owner, part, seconds)
    return url, iso_of(expires * 1_000_000)
