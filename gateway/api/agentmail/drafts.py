"""Drafts of an inbox and of every inbox."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.filters import Narrowing, addresses_of, page_of, read_filter
from gateway.api.agentmail.labels_body import Labels, as_list
from gateway.api.agentmail.sending import MAX_RECIPIENTS, Addresses, once
from gateway.api.agentmail.views import DraftItem, DraftView, Sent, draft_item, draft_view
from gateway.api.paging import read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import parse_time
from gateway.core.access import changes, reads
from gateway.core.drafts import drafts
from gateway.core.drafts import send as draft_send
from gateway.core.drafts.drafts import NewDraft
from gateway.core.drafts.edit import DraftChange
from gateway.core.drafts.edit import update_draft as edit_draft
from gateway.core.idempotency import Completion
from gateway.core.sending.request_attachments import FileGiven, load_files
from gateway.core.sent import Sent as Accepted

table = Table("Drafts")
Doc = msgspec.Meta
Unset = msgspec.UnsetType

_INBOX = "/inboxes/{inbox_id}/drafts"
_ONE = "/inboxes/{inbox_id}/drafts/{draft_id}"


class DraftBody(msgspec.Struct):
    """A new draft: plain, a reply (``in_reply_to``), or a forward (``forward_of``)."""

    to: Addresses = None
    cc: Addresses = None
    bcc: Addresses = None
    reply_to: Addresses = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    labels: list[str] | None = None
    attachments: list[FileGiven] | None = None
    in_reply_to: Annotated[str | None, Doc(description="the message to reply to")] = None
    forward_of: Annotated[str | None, Doc(description="the message to forward")] = None
    reply_all: bool | None = None
    send_at: Annotated[str | None, Doc(description="when to send it automatically, ISO 8601")] = None
    client_id: Annotated[
        str | None, Doc(description="a repeat with the same one returns the existing draft")
    ] = None


class DraftPatch(msgspec.Struct):
    """Changes to a draft; ``null`` clears a field, fields left out stay as they are."""

    to: Addresses | Unset = msgspec.UNSET
    cc: Addresses | Unset = msgspec.UNSET
    bcc: Addresses | Unset = msgspec.UNSET
    reply_to: Addresses | Unset = msgspec.UNSET
    subject: str | Unset | None = msgspec.UNSET
    text: str | Unset | None = msgspec.UNSET
    html: str | Unset | None = msgspec.UNSET
    send_at: str | Unset | None = msgspec.UNSET
    add_attachments: list[FileGiven] | None = None
    remove_attachments: list[str] | None = None
    add_labels: Labels = None
    remove_labels: Labels = None


class DraftSendBody(msgspec.Struct):
    """Labels of the message that is sent, besides the draft's own."""

    add_labels: Labels = None
    remove_labels: Labels = None


@table.get(_INBOX, rows=("drafts", DraftItem), also=["/drafts"], access=reads("draft_read"))
async def list_drafts(call: Call[NoBody, Narrowing]) -> dict[str, Any]:
    """List drafts, the last changed first, including those that people write in a mail client."""
    paging = read_paging(call.query, call.core.secret)
    wanted = read_filter(call.query)
    listing = await drafts.list_drafts(call.core, call.scope, call.ids.get("inbox_id"), wanted, paging.window)
    return await page_of(call, listing, paging, "drafts", draft_item)


@table.post(_INBOX, access=changes("draft_create", test="any"))
async def create_draft(call: Call[DraftBody, NoQuery]) -> DraftView:
    """Create a draft; the mailbox's Drafts folder has a copy."""
    body = call.body
    new = NewDraft(
        to=as_list(body.to),
        cc=as_list(body.cc),
        bcc=as_list(body.bcc),
        reply_to=as_list(body.reply_to),
        subject=body.subject,
        text=body.text,
        html=body.html,
        labels=body.labels or [],
        files=await load_files(call.core, body.attachments or []),
        in_reply_to=body.in_reply_to,
        forward_of=body.forward_of,
        reply_all=bool(body.reply_all),
        send_at=parse_time(body.send_at, "send_at"),
        client_id=body.client_id,
    )
    draft = await drafts.create_draft(call.core, call.scope, call.ids["inbox_id"], new)
    return draft_view(draft, await addresses_of(call, [draft]))


@table.get(_ONE, also=["/drafts/{draft_id}"], access=reads("draft_read"))
async def get_draft(call: Call[NoBody, NoQuery]) -> DraftView:
    """Get a draft."""
    draft = await drafts.get_draft(call.core, call.scope, call.ids.get("inbox_id"), call.ids["draft_id"])
    return draft_view(draft, await addresses_of(call, [draft]))


@table.patch(_ONE, access=changes("draft_update", test="own"))
async def update_draft(call: Call[DraftPatch, NoQuery]) -> DraftView:
    """Change a draft; the copy in the Drafts folder changes too."""
    body = call.body
    change = DraftChange(
        to=_given(body.to),
        cc=_given(body.cc),
        bcc=_given(body.bcc),
        reply_to=_given(body.reply_to),
        subject=body.subject,
        text=body.text,
        html=body.html,
        send_at=body.send_at if isinstance(body.send_at, Unset) else parse_time(body.send_at, "send_at"),
        add_files=await load_files(call.core, body.add_attachments or [], "add_attachments"),
        remove_files=body.remove_attachments or [],
        add_labels=as_list(body.add_labels),
        remove_labels=as_list(body.remove_labels),
    )
    draft = await edit_draft(call.core, call.scope, call.ids["inbox_id"], call.ids["draft_id"], change)
    return draft_view(draft, await addresses_of(call, [draft]))


@table.delete(_ONE, access=changes("draft_delete", test="own"))
async def delete_draft(call: Call[NoBody, NoQuery]) -> None:
    """Delete a draft."""
    await drafts.delete_draft(call.core, call.scope, call.ids["inbox_id"], call.ids["draft_id"])


@table.post(f"{_ONE}/send", access=changes("draft_send", test="own"))
async def send_draft(call: Call[DraftSendBody, NoQuery]) -> Sent:
    """Send a draft; this removes it from the drafts."""
    inbox_ref, draft_ref = call.ids["inbox_id"], call.ids["draft_id"]

    async def run(completion: Completion | None) -> Accepted:
        return await draft_send.send_draft(
            call.core,
            call.scope,
            inbox_ref,
            draft_ref,
            add_labels=as_list(call.body.add_labels),
            remove_labels=as_list(call.body.remove_labels),
            most_recipients=MAX_RECIPIENTS,
            completion=completion,
        )

    return await once(call, f"draft {inbox_ref} {draft_ref}", run)


def _given(addresses: Addresses | Unset) -> list[str] | Unset:
    return addresses if isinstance(addresses, Unset) else as_list(addresses)
