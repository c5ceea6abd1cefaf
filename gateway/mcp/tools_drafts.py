"""Drafts: agents write them, people see them in the Drafts folder of their mail program, and either may send them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from gateway.api.times import to_seconds
from gateway.core.access import changes, reads
from gateway.core.drafts import drafts
from gateway.core.drafts import send as draft_send
from gateway.core.drafts.drafts import NewDraft
from gateway.core.drafts.edit import DraftChange
from gateway.core.drafts.edit import update_draft as edit_draft
from gateway.core.errors import Invalid
from gateway.mcp import toolbox
from gateway.mcp.arguments import (
    Addresses,
    Doc,
    Files,
    Id,
    InboxId,
    Limit,
    Page,
    addresses,
    files,
    ref_of,
    window,
)
from gateway.mcp.resolve import draft_of, inbox_of, message_of
from gateway.mcp.schema import UNLISTED
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox, page_numbers
from gateway.mcp.tools_send import Bcc, Cc, Html, SentEmail, Text, To, accepted
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.records.drafts import Draft, DraftContent
from gateway.records.ids import INBOX_ID, MESSAGE_ID
from gateway.store.listing import Filter

box = Toolbox()

_TEXT = 2_000
DraftId = Annotated[Id, Doc(description="The draft.")]


class CreateDraft(Arguments):
    to: To = None
    subject: Annotated[str | None, Doc(description="Subject.")] = None
    text: Text = None
    html: Html = None
    cc: Cc = None
    bcc: Bcc = None
    reply_to_message_id: Annotated[Id | None, Doc(description="Reply to this message.")] = None
    reply_all: Annotated[bool, Doc(description="To everybody.")] = False
    attachments: Files = None
    inbox_id: InboxId = None


class SavedDraft(Result):
    draft: dict[str, Any]
    notice: Annotated[str, UNLISTED]


@box.tool("Create draft", access=changes("draft_create", test="any"))
async def create_draft(call: Call[CreateDraft]) -> Answer[SavedDraft]:
    """Write an email into the Drafts folder, for a person to check. send_draft sends it."""
    args = call.args
    answered = ref_of(args.reply_to_message_id)
    if answered is not None:
        inbox_id, answered = await message_of(call, args.inbox_id, answered)
        inbox = await inbox_of(call, inbox_id)
    else:
        inbox = await inbox_of(call, args.inbox_id)
    try:
        draft = await drafts.create_draft(
            call.core,
            call.scope,
            inbox.id,
            NewDraft(
                to=addresses(args.to),
                cc=addresses(args.cc),
                bcc=addresses(args.bcc),
                subject=args.subject,
                text=args.text,
                html=args.html,
                files=await files(call.core, args.attachments),
                in_reply_to=answered,
                reply_all=args.reply_all,
            ),
        )
    except Invalid as error:
        if error.field == "reply_all" and answered is None:
            error.message, error.fix = (
                "reply_all needs reply_to_message_id",
                "give it, or leave reply_all out",
            )
        raise
    fence = Fence()
    text = f"Draft {draft.public_id} is in the Drafts folder of {inbox.address}; send_draft sends it."
    return Answer(text, SavedDraft(draft=_draft(draft, fence), notice=fence.notice))


class ListDrafts(Arguments):
    inbox_id: InboxId = None
    limit: Limit = 10
    page: Page = 1


class DraftPage(toolbox.Page, kw_only=True):
    drafts: list[dict[str, Any]]


@box.tool("List drafts", access=reads("draft_read"), read_only=True)
async def list_drafts(call: Call[ListDrafts]) -> Answer[DraftPage]:
    """List the drafts of an inbox, last changed first, people's drafts too."""
    inbox = await inbox_of(call, call.args.inbox_id)
    wanted = window(call.args.limit, call.args.page)
    found = await drafts.list_drafts(call.core, call.scope, inbox.id, Filter(), wanted)
    fence = Fence()
    page = DraftPage(
        drafts=[_draft(draft, fence) for draft in found.rows],
        notice=fence.notice,
        **page_numbers(found, wanted),
    )
    if not found.rows:
        return Answer(f"Drafts in {inbox.address}: none.", page)
    lines = [f"Drafts in {inbox.address}: {len(found.rows)} of {found.total}."]
    if page.next_page:
        lines.append(f"list_drafts with page={page.next_page} shows more.")
    listed = []
    for draft, shown in zip(found.rows, page.drafts, strict=True):
        theirs = shown["untrusted"]
        to = ", ".join(theirs["to"]) or "nobody yet"
        listed.append(f"{shown['draft_id']} (changed {shown['updated_at']}) to {to}")
        listed += [f"Subject: {theirs['subject']}", _body(draft.content), ""]
    return Answer("\n".join([*lines, fence.notice, fence.around("\n".join(listed).rstrip())]), page)


class UpdateDraft(Arguments):
    draft_id: DraftId
    to: Annotated[Addresses | UnsetType, Doc(description="New recipients.")] = UNSET
    subject: Annotated[str | UnsetType, Doc(description="Subject.")] = UNSET
    text: Annotated[str | UnsetType, Doc(description="Text.")] = UNSET
    html: Annotated[str | UnsetType, Doc(description="HTML.")] = UNSET
    cc: Annotated[Addresses | UnsetType, Doc(description="Cc.")] = UNSET
    bcc: Annotated[Addresses | UnsetType, Doc(description="Bcc.")] = UNSET


@box.tool("Update draft", access=changes("draft_update", test="own"), idempotent=True)
async def update_draft(call: Call[UpdateDraft]) -> Answer[SavedDraft]:
    """Change recipients, subject or body of a draft. An empty text or html removes it."""
    args = call.args
    inbox, draft = await draft_of(call, args.draft_id)
    change = DraftChange(
        to=_replaced(args.to),
        cc=_replaced(args.cc),
        bcc=_replaced(args.bcc),
        subject=args.subject,
        text=args.text if args.text is UNSET else args.text or None,
        html=args.html if args.html is UNSET else args.html or None,
    )
    if change == DraftChange():
        raise Invalid("nothing to change", field="subject", fix="give to, cc, bcc, subject, text or html")
    if change.html is UNSET and change.text is not UNSET and draft.content.html:
        raise Invalid(  # most recipients would see the old body
            "this draft has an HTML body, too",
            field="html",
            fix='give the new html, or html="" for text alone',
        )
    draft = await edit_draft(call.core, call.scope, inbox.id, draft.id, change)
    fence = Fence()
    saved = SavedDraft(draft=_draft(draft, fence), notice=fence.notice)
    return Answer(f"Draft {draft.public_id} of {inbox.address} is changed; send_draft sends it.", saved)


def _replaced(given: Addresses | UnsetType) -> list[str] | UnsetType:
    return given if isinstance(given, UnsetType) else addresses(given)


class SendDraft(Arguments):
    draft_id: DraftId


@box.tool("Send draft", access=changes("draft_send", test="own"), open_world=True)
async def send_draft(call: Call[SendDraft]) -> Answer[SentEmail]:
    """Send a draft. It is then gone."""
    inbox, draft = await draft_of(call, call.args.draft_id)
    sent = await draft_send.send_draft(call.core, call.scope, inbox.id, draft.id)
    return accepted(call, inbox, sent)


class DeleteDraft(Arguments):
    draft_id: DraftId


class DeletedDraft(Result):
    draft_id: str
    deleted: Annotated[bool, UNLISTED]


@box.tool("Delete draft", access=changes("draft_delete", test="own"), destructive=True)
async def delete_draft(call: Call[DeleteDraft]) -> Answer[DeletedDraft]:
    """Delete a draft for good."""
    inbox, draft = await draft_of(call, call.args.draft_id)
    await drafts.delete_draft(call.core, call.scope, inbox.id, draft.id)
    deleted = DeletedDraft(draft_id=draft.public_id, deleted=True)
    return Answer(f"Draft {draft.public_id} is deleted.", deleted)


def _draft(draft: Draft, fence: Fence) -> dict[str, Any]:
    content = draft.content
    people = {"to": content.to, "cc": content.cc, "bcc": content.bcc}
    return {
        "draft_id": draft.public_id,
        "inbox_id": INBOX_ID.public(draft.inbox_id),
        "reply_to_message_id": MESSAGE_ID.public(draft.in_reply_to),
        "attachments": len(draft.attachments),
        "updated_at": to_seconds(draft.updated_at),
        "untrusted": {
            **{name: [one_line(str(person), 420) for person in people[name]] for name in people},
            "subject": one_line(content.subject),
            "text": fence.around(_body(content)),
        },
    }


def _body(content: DraftContent) -> str:
    text = content.text or content.html or ""
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}… ({len(text)} characters)"
