"""Attachments of messages, threads and drafts: metadata with a download link."""

from __future__ import annotations

from gateway.api import downloads
from gateway.api.agentmail.links import file_link
from gateway.api.agentmail.views import AttachmentLink
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import reads
from gateway.core.mail import attachments

table = Table("Attachments")
table.include(downloads.table)


@table.get(
    "/inboxes/{inbox_id}/messages/{message_id:rest}/attachments/{attachment_id}", access=reads("message_read")
)
async def of_message(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of a message."""
    ids = call.ids
    found = await attachments.of_message(
        call.core, call.scope, ids["inbox_id"], ids["message_id"], ids["attachment_id"]
    )
    return file_link(call, found)


@table.get(
    "/inboxes/{inbox_id}/threads/{thread_id}/attachments/{attachment_id}", access=reads("message_read")
)
async def of_inbox_thread(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of any message of a thread."""
    ids = call.ids
    found = await attachments.of_thread(
        call.core, call.scope, ids["inbox_id"], ids["thread_id"], ids["attachment_id"]
    )
    return file_link(call, found)


@table.get("/threads/{thread_id}/attachments/{attachment_id}", access=reads("message_read"))
async def of_thread(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of any message of a thread, whichever inbox it is in."""
    found = await attachments.of_thread(
        call.core, call.scope, None, call.ids["thread_id"], call.ids["attachment_id"]
    )
    return file_link(call, found)


@table.get("/inboxes/{inbox_id}/drafts/{draft_id}/attachments/{attachment_id}", access=reads("draft_read"))
async def of_inbox_draft(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of a draft."""
    ids = call.ids
    found = await attachments.of_draft(
        call.core, call.scope, ids["inbox_id"], ids["draft_id"], ids["attachment_id"]
    )
    return file_link(call, found)


@table.get("/drafts/{draft_id}/attachments/{attachment_id}", access=reads("draft_read"))
async def of_draft(call: Call[NoBody, NoQuery]) -> AttachmentLink:
    """Get an attachment of a draft, whichever inbox it is in."""
    found = await attachments.of_draft(
        call.core, call.scope, None, call.ids["draft_id"], call.ids["attachment_id"]
    )
    return file_link(call, found)
