"""Drafts: written by an agent, seen by people in the Drafts folder of their mail program, and sent by either."""

from __future__ import annotations

from typing import Annotated, Any

from gateway.api.times import to_seconds
from gateway.core.access import changes, reads
from gateway.core.drafts import drafts
from gateway.core.drafts import send as draft_send
from gateway.core.drafts.drafts import NewDraft
from gateway.core.errors import Invalid
from gateway.mcp.arguments import (
    Doc,
    Files,
    Id,
    InboxId,
    Page,
    addresses,
    bounded,
    files,
    ref_of,
    window,
)
from gateway.mcp.resolve import draft_of, inbox_of, message_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.mcp.tools_send import Bcc, Cc, Html, Text, To, accepted
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.records.drafts import Draft, DraftContent
from gateway.records.ids import public_id
from gateway.store.listing import Filter

box = Toolbox()

_TEXT = 2_000
DraftId = Annotated[Id, Doc(description="Id of the draft, as create_draft or list_drafts shows it.")]


class CreateDraft(Arguments):
    to: To = None
    subject: Annotated[
        str | None, Doc(description="The subject line (default for a reply: that of the message).")
    ] = None
    text: Text = None
    html: Html = None
    cc: Cc = None
    bcc: Bcc = None
    reply_to_message_id: Annotated[
        Id | None,
        Doc(description="Make it an answer to this message, in its thread; recipients come from it."),
    ] = None
    reply_all: Annotated[
        bool, Doc(description="With reply_to_message_id: answer everyone who got it (default false).")
    ] = False
    attachments: Files = None
    inbox_id: InboxId = None


@box.tool("Create a draft", access=changes("draft_create", test="any"))
async def create_draft(call: Call[CreateDraft]) -> Answer:
    """Write an email without sending it, for a person to look at. It stands in the Drafts folder of the inbox;
    send_draft sends it."""
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
    return Answer(text, {"draft": _draft(draft, fence), "notice": fence.notice})


class ListDrafts(Arguments):
    inbox_id: InboxId = None
    limit: Annotated[int, bounded("How many drafts (default 10).", 1, 50)] = 10
    page: Page = 1


@box.tool("List drafts", access=reads("draft_read"), read_only=True)
async def list_drafts(call: Call[ListDrafts]) -> Answer:
    """List the drafts of an inbox with their text, last changed first: yours, and those that people began."""
    inbox = await inbox_of(call, call.args.inbox_id)
    wanted = window(call.args.limit, call.args.page)
    found = await drafts.list_drafts(call.core, call.scope, inbox.id, Filter(), wanted)
    page = wanted.offset // wanted.limit + 1
    following = page + 1 if wanted.offset + len(found.rows) < found.total else None
    fence = Fence()
    data: dict[str, Any] = {
        "drafts": [_draft(draft, fence) for draft in found.rows],
        "page": page,
        "total": found.total,
        "next_page": following,
        "notice": fence.notice,
    }
    if not found.rows:
        return Answer(f"Drafts in {inbox.address}: none.", data)
    lines = [f"Drafts in {inbox.address}: {len(found.rows)} of {found.total}."]
    if following:
        lines.append(f"list_drafts with page={following} shows more.")
    listed = []
    for draft, one in zip(found.rows, data["drafts"], strict=True):
        theirs = one["untrusted"]
        listed.append(
            f"{one['id']} (changed {one['updated_at']}) to {', '.join(theirs['to']) or 'nobody yet'}"
        )
        listed += [f"Subject: {theirs['subject']}", _body(draft.content), ""]
    return Answer("\n".join([*lines, fence.notice, fence.around("\n".join(listed).rstrip())]), data)


class SendDraft(Arguments):
    draft_id: DraftId


@box.tool("Send a draft", access=changes("draft_send", test="own"), open_world=True)
async def send_draft(call: Call[SendDraft]) -> Answer:
    """Send a draft as it stands now. It is sent once: afterwards there is no draft."""
    inbox, draft = await draft_of(call, call.args.draft_id)
    sent = await draft_send.send_draft(call.core, call.scope, inbox.id, draft.id)
    return accepted(call, inbox, sent)


class DeleteDraft(Arguments):
    draft_id: DraftId


@box.tool("Delete a draft", access=changes("draft_delete", test="own"), destructive=True)
async def delete_draft(call: Call[DeleteDraft]) -> Answer:
    """Delete a draft for good. To change one, make a new draft and delete the old."""
    inbox, draft = await draft_of(call, call.args.draft_id)
    await drafts.delete_draft(call.core, call.scope, inbox.id, draft.id)
    return Answer(f"Draft {draft.public_id} is deleted.", {"id": draft.public_id, "deleted": True})


def _draft(draft: Draft, fence: Fence) -> dict[str, Any]:
    content = draft.content
    people = {"to": content.to, "cc": content.cc, "bcc": content.bcc}
    return {
        "id": draft.public_id,
        "inbox_id": public_id("inb", draft.inbox_id),
        "reply_to_message_id": public_id("msg", draft.in_reply_to),
        "attachments": len(draft.attachments),
        "updated_at": to_seconds(draft.updated_at),
        "untrusted": {
            **{name: [one_line(str(one), 420) for one in people[name]] for name in people},
            "subject": one_line(content.subject),
            "text": fence.around(_body(content)),
        },
    }


def _body(content: DraftContent) -> str:
    text = content.text or content.html or ""
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}… ({len(text)} characters)"
