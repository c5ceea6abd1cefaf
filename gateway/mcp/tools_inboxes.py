"""The inboxes of a key: listing, creating, changing and deleting them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from gateway.api.times import to_seconds
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.errors import Invalid, Missing
from gateway.core.inboxes import inboxes
from gateway.core.text import clean_text
from gateway.mcp import toolbox
from gateway.mcp.arguments import Doc, Id, InboxId, Page, at_most, ref_of, window
from gateway.mcp.idempotency import digest
from gateway.mcp.resolve import inbox_of
from gateway.mcp.schema import UNLISTED
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox, page_numbers
from gateway.mcp.untrusted_text import one_line
from gateway.records.inboxes import Inbox

box = Toolbox()


class ListInboxes(Arguments):
    page: Page = 1
    per_page: Annotated[int, at_most("Default 20.", 50)] = 20


class InboxPage(toolbox.Page, kw_only=True):
    inboxes: list[dict[str, Any]]


@box.tool("List inboxes", access=reads("inbox_read"), read_only=True)
async def list_inboxes(call: Call[ListInboxes]) -> Answer[InboxPage]:
    """List your inboxes, newest first."""
    wanted = window(call.args.per_page, call.args.page)
    found = await inboxes.list_inboxes(call.core, call.scope, wanted)
    page = InboxPage(inboxes=[_inbox(inbox) for inbox in found.rows], **page_numbers(found, wanted))
    if not found.rows:
        none = "There is no inbox. create_inbox makes one." if page.page == 1 else "There are no more."
        return Answer(none, page)
    lines = [f"{len(found.rows)} of {found.total} inboxes:"]
    lines += [f"- {inbox.address} ({_named(inbox)}{inbox.public_id})" for inbox in found.rows]
    if page.next_page:
        lines.append(f"list_inboxes with page={page.next_page} shows more.")
    return Answer("\n".join(lines), page)


class CreateInbox(Arguments):
    name: Annotated[str, Doc(description="Sender name.")]
    email: Annotated[str | None, Doc(description="Its address; default: random.")] = None
    idempotency_key: Annotated[str | None, Doc(description="As in send_email.")] = None


class CreatedInbox(Result):
    """``created``: false when an earlier call with the same ``idempotency_key`` made it."""

    inbox: dict[str, Any]
    created: bool


@box.tool("Create inbox", access=changes("inbox_create", kinds=ORGANIZATION_OR_POD))
async def create_inbox(call: Call[CreateInbox]) -> Answer[CreatedInbox]:
    """Create an inbox. It can send and receive at once."""
    args = call.args
    name = clean_text(args.name, "name", 255)
    if not name:
        raise Missing("name")
    username = domain = None
    if args.email and args.email.strip():
        username, at, domain = args.email.strip().partition("@")
        if not username or not at or not domain:
            raise Invalid(
                "email is not an address",
                field="email",
                fix="write support@yourdomain.com, or leave email out",
            )
    try:
        saved = await inboxes.create(
            call.core,
            call.scope,
            inboxes.NewInbox(
                username=username,
                domain=domain,
                display_name=name,
                client_id=f"mcp-{digest(args.idempotency_key)}" if args.idempotency_key else None,
            ),
        )
    except Invalid as error:
        if error.field in ("username", "domain"):
            error.field, error.fix = "email", "give an address on a domain of yours, or leave email out"
        raise
    inbox = saved.inbox
    done = "Created" if saved.new else "There is already"
    return Answer(
        f"{done} {inbox.address} ({inbox.public_id}).", CreatedInbox(inbox=_inbox(inbox), created=saved.new)
    )


class UpdateInbox(Arguments):
    inbox_id: InboxId = None
    name: Annotated[str | None, Doc(description="Sender name.")] = None
    status: Annotated[Literal["active", "paused"] | None, Doc(description="A paused inbox cannot send.")] = (
        None
    )


class UpdatedInbox(Result):
    inbox: dict[str, Any]


@box.tool("Update inbox", access=changes("inbox_update"), idempotent=True)
async def update_inbox(call: Call[UpdateInbox]) -> Answer[UpdatedInbox]:
    """Change the sender name of an inbox, or pause its sending."""
    args = call.args
    wanted = {"display_name": args.name, "status": args.status}
    changed = {name: value for name, value in wanted.items() if value is not None}
    if not changed:
        raise Invalid("nothing to change", field="name", fix="give name, status or both")
    inbox = await inbox_of(call, args.inbox_id)
    try:
        saved = await inboxes.update(call.core, call.scope, inbox.id, changed)
    except Invalid as error:
        error.field = "name" if error.field == "display_name" else error.field
        error.message = error.message.replace("display_name", "name")
        raise
    inbox = saved.inbox
    return Answer(
        f"{inbox.address} ({_named(inbox)}{inbox.public_id}) is {inbox.status}.",
        UpdatedInbox(inbox=_inbox(inbox)),
    )


class DeleteInbox(Arguments):
    inbox_id: Annotated[Id, Doc(description="Address or id.")]


class DeletedInbox(Result):
    inbox_id: str
    address: Annotated[str, UNLISTED]
    deleted: Annotated[bool, UNLISTED]


@box.tool("Delete inbox", access=changes("inbox_delete"), destructive=True)
async def delete_inbox(call: Call[DeleteInbox]) -> Answer[DeletedInbox]:
    """Delete an inbox with all its mail for good."""
    if ref_of(call.args.inbox_id) is None:  # never the default inbox
        raise Missing("inbox_id")
    inbox = await inbox_of(call, call.args.inbox_id)
    await inboxes.delete(call.core, call.scope, inbox.id)
    deleted = DeletedInbox(inbox_id=inbox.public_id, address=inbox.address, deleted=True)
    return Answer(f"{inbox.address} and all its mail are deleted.", deleted)


def _inbox(inbox: Inbox) -> dict[str, Any]:
    """An inbox for programs."""
    return {
        "inbox_id": inbox.public_id,
        "number": inbox.number,
        "address": inbox.address,
        "name": inbox.display_name,
        "status": inbox.status,
        "created_at": to_seconds(inbox.created_at),
    }


def _named(inbox: Inbox) -> str:
    return f"{one_line(inbox.display_name, 100)}, " if inbox.display_name else ""
