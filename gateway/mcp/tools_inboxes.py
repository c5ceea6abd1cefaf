"""The inboxes of a key: listing them, making one."""

from __future__ import annotations

from typing import Annotated, Any

from gateway.api.times import to_seconds
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.errors import Invalid, Missing
from gateway.core.inboxes import inboxes
from gateway.core.text import clean_text
from gateway.mcp.arguments import Doc, Page, bounded, window
from gateway.mcp.idempotency import digest
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.mcp.untrusted_text import one_line
from gateway.records.inboxes import Inbox

box = Toolbox()


class ListInboxes(Arguments):
    page: Page = 1
    per_page: Annotated[int, bounded("Inboxes a page (default 20).", 1, 50)] = 20


@box.tool("List inboxes", access=reads("inbox_read"), read_only=True)
async def list_inboxes(call: Call[ListInboxes]) -> Answer:
    """List the inboxes this key reaches, newest first. Other tools take an inbox by its address or id."""
    wanted = window(call.args.per_page, call.args.page)
    found = await inboxes.list_inboxes(call.core, call.scope, wanted)
    page = wanted.offset // wanted.limit + 1
    following = page + 1 if wanted.offset + len(found.rows) < found.total else None
    data = {
        "inboxes": [inbox_data(row) for row in found.rows],
        "page": page,
        "total": found.total,
        "next_page": following,
    }
    if not found.rows:
        return Answer(
            "There is no inbox. create_inbox makes one." if page == 1 else "There are no more.", data
        )
    lines = [f"{len(found.rows)} of {found.total} inboxes:"]
    lines += [f"- {row.address} ({_named(row)}inb_{row.id})" for row in found.rows]
    if following:
        lines.append(f"list_inboxes with page={following} shows more.")
    return Answer("\n".join(lines), data)


class CreateInbox(Arguments):
    name: Annotated[str, Doc(description="Shown as the sender's name, such as Support Agent.")]
    email: Annotated[
        str | None,
        Doc(
            description="The address it gets, on a domain of your organization or the server's own. "
            "Default: a random one on the server's."
        ),
    ] = None
    idempotency_key: Annotated[
        str | None, Doc(description="Any text. Repeat a call with the same text, and one inbox is made.")
    ] = None


@box.tool("Create an inbox", access=changes("inbox_create", kinds=ORGANIZATION_OR_POD))
async def create_inbox(call: Call[CreateInbox]) -> Answer:
    """Make a new inbox: a real mailbox that sends and receives at once."""
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
    words = "Made" if saved.new else "There is already"
    return Answer(
        f"{words} {inbox.address} ({inbox.public_id}).", {"inbox": inbox_data(inbox), "created": saved.new}
    )


def inbox_data(row: Inbox) -> dict[str, Any]:
    """An inbox for programs."""
    return {
        "id": row.public_id,
        "number": row.number,
        "address": row.address,
        "name": row.display_name,
        "status": row.status,
        "created_at": to_seconds(row.created_at),
    }


def _named(row: Inbox) -> str:
    return f"{one_line(row.display_name, 100)}, " if row.display_name else ""
