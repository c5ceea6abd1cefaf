"""Attachments by name: the file through a signed URL, and its text (contract §2, §6)."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from gateway.api import downloads
from gateway.api.downloads import file_response, signed_url
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import reads
from gateway.core.mail import attachment_text
from gateway.core.mail.attachments import open_attachment

PREFIX = "/v1"
SIGNED_SECONDS = 15 * 60
"""How long the URL works that the 302 names (contract §6)."""

table = Table("Attachments")
table.include(downloads.table)


class AttachmentText(msgspec.Struct):
    """What was read in an attachment."""

    inboxId: str
    filename: str
    contentType: str
    extractionMethod: str
    text: str


@table.get("/attachments/{message_id}/{filename}", access=reads("message_read"))
async def get_attachment(call: Call[NoBody, NoQuery]) -> Response:
    """Download an attachment: 302 to a URL that works for 15 minutes without a key (and does not mind one).

    The file is the body of the 302, too, for clients that do not follow it.
    """
    found = await attachment_text.find_named(
        call.core, call.scope, call.ids["message_id"], call.ids["filename"]
    )
    url, _ = signed_url(call, PREFIX, "file", found.message.id, found.attachment.id, SIGNED_SECONDS)
    got = await open_attachment(call.core, found.message.id, found.attachment.id)
    answer = await file_response(call, got)
    answer.status_code = 302
    answer.headers["Location"] = url
    return answer


@table.get("/attachments/{message_id}/{filename}/text", access=reads("message_read"))
async def get_attachment_text(call: Call[NoBody, NoQuery]) -> AttachmentText:
    """Get the text of an attachment: at most 50,000 characters.

    422 `no_attachment_text` with `extractionMethod` as the reason when there is none.
    """
    found = await attachment_text.text_of(call.core, call.scope, call.ids["message_id"], call.ids["filename"])
    return AttachmentText(
        inboxId=found.inbox.public_id,
        filename=found.name,
        contentType=found.attachment.content_type,
        extractionMethod=found.method,
        text=found.text,
    )
