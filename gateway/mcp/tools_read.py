"""Reading: what is in an inbox, one message, what is in its attachments, and search."""

from __future__ import annotations

from typing import Annotated, Literal

from gateway.api.times import parse_day
from gateway.core.access import reads
from gateway.core.errors import Invalid
from gateway.core.mail import messages
from gateway.core.mail.attachment_text import text_of
from gateway.core.mail.search import search_messages as search
from gateway.mcp.arguments import Doc, InboxId, MessageId, Offset, Page, bounded, ref_of, window
from gateway.mcp.mail_view import READ_CHARACTERS, body_of, cut, listing_answer, whole
from gateway.mcp.resolve import inbox_of, message_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.records.ids import public_id
from gateway.store.listing import Filter

box = Toolbox()


class CheckInbox(Arguments):
    inbox_id: InboxId = None
    limit: Annotated[int, bounded("How many messages (default 10).", 1, 50)] = 10
    page: Page = 1
    unread_only: Annotated[bool, Doc(description="Only unread messages (default false).")] = False
    label: Annotated[
        str | None,
        Doc(description="Only messages with this label, such as starred, spam, trash or unauthenticated."),
    ] = None
    include_sent: Annotated[
        bool, Doc(description="Also what the inbox sent (default false: received messages only).")
    ] = False


@box.tool("Check an inbox", access=reads("message_read"), read_only=True)
async def check_inbox(call: Call[CheckInbox]) -> Answer:
    """List the recent messages of an inbox, newest first: sender, subject and a preview of each. Spam, trash and
    mail that failed sender authentication are left out unless label asks for them. To wait for mail that has not
    come yet, use wait_for_email."""
    args = call.args
    inbox = await inbox_of(call, args.inbox_id)
    labels = [*(["unread"] if args.unread_only else []), *([args.label.strip()] if args.label else [])]
    wanted = window(args.limit, args.page)
    found = await messages.list_messages(
        call.core,
        call.scope,
        inbox.id,
        Filter(
            labels=tuple(one for one in labels if one), direction=None if args.include_sent else "inbound"
        ),
        wanted,
    )
    kind = "Messages" if args.include_sent else "Unread messages" if args.unread_only else "Messages received"
    return listing_answer(
        f"{kind} in {inbox.address}",
        found,
        wanted,
        "check_inbox with page={page} shows older ones.",
        0 if args.label else found.unauthenticated,
    )


class ReadMessage(Arguments):
    message_id: MessageId
    inbox_id: InboxId = None
    full: Annotated[bool, Doc(description="Also the quoted history and the signature (default false).")] = (
        False
    )
    offset: Offset = 0


@box.tool("Read a message", access=reads("message_read"), read_only=True)
async def read_message(call: Call[ReadMessage]) -> Answer:
    """Read one message: sender, whether the sender is genuine, body, attachments. It stays unread; set_labels changes
    that."""
    args = call.args
    inbox, ulid = await message_of(call, args.inbox_id, args.message_id)
    mail = await messages.get_message(call.core, call.scope, inbox, ulid)
    fence = Fence()
    text, data = whole(mail, fence, full=args.full, offset=args.offset)
    tail = []
    if data["text_next"] is not None:
        tail.append(f"read_message with offset={data['text_next']} goes on.")
    if not args.full and body_of(mail.texts, full=False).strip() != body_of(mail.texts, full=True).strip():
        tail.append("The quoted history is left out; full=true shows it.")
    if data["untrusted"]["attachments"]:
        tail.append("read_attachment shows the text of an attachment.")
    return Answer("\n".join([fence.notice, text, *tail]), {"message": data, "notice": fence.notice})


class ReadAttachment(Arguments):
    message_id: MessageId
    filename: Annotated[str, Doc(description="Its name, as read_message shows it.")]
    inbox_id: InboxId = None
    offset: Offset = 0


@box.tool("Read an attachment", access=reads("message_read"), read_only=True)
async def read_attachment(call: Call[ReadAttachment]) -> Answer:
    """Read the text of an attachment: PDF, Word, Excel, PowerPoint, OpenDocument, CSV, text, and pictures where the
    server reads them."""
    args = call.args
    _, ulid = await message_of(call, args.inbox_id, args.message_id)
    try:
        found = await text_of(call.core, call.scope, ulid, args.filename)
    except Invalid as error:
        error.field, error.fix = "filename", "tell your user that the file has to be opened by a person"
        raise
    part = cut(found.text, args.offset, READ_CHARACTERS)
    fence = Fence()
    body = fence.around(part.text)
    data = {
        "message_id": public_id("msg", ulid),
        "content_type": one_line(found.attachment.content_type, 100),
        "size": found.attachment.size,
        "method": found.method,
        "text_start": part.start,
        "text_next": part.next,
        "text_total": part.total,
        "untrusted": {"filename": one_line(found.name, 200), "text": body},
        "notice": fence.notice,
    }
    tail = f"Characters {part.start} to {part.start + len(part.text)} of {part.total}."
    if part.next is not None:
        tail += f" read_attachment with offset={part.next} goes on."
    return Answer("\n".join([fence.notice, body, tail]), data)


class SearchMessages(Arguments):
    query: Annotated[
        str, Doc(description='Words that all must be there; "words in quotes" must stand in a row.')
    ]
    inbox_id: Annotated[
        int | str | None, Doc(description="Only in this inbox (default: every inbox of the key).")
    ] = None
    fields: Annotated[
        list[Literal["subject", "body"]] | None,
        Doc(description="Look only in these (default: in names and addresses too)."),
    ] = None
    date_from: Annotated[str | None, Doc(description="First day, YYYY-MM-DD, UTC.")] = None
    date_to: Annotated[str | None, Doc(description="Last day, YYYY-MM-DD, UTC, which counts whole.")] = None
    limit: Annotated[int, bounded("How many messages (default 10).", 1, 50)] = 10
    page: Page = 1


@box.tool("Search messages", access=reads("message_read"), read_only=True)
async def search_messages(call: Call[SearchMessages]) -> Answer:
    """Search messages, received and sent, in all inboxes of the key, newest first."""
    args = call.args
    first, last = parse_day(args.date_from, "date_from"), parse_day(args.date_to, "date_to", last=True)
    if first is not None and last is not None and first > last:
        raise Invalid(
            "date_from is after date_to", field="date_from", fix="give the earlier day as date_from"
        )
    wanted = window(args.limit, args.page)
    try:
        found = await search(
            call.core,
            call.scope,
            ref_of(args.inbox_id),
            args.query,
            Filter(after=None if first is None else first - 1, before=None if last is None else last + 1),
            wanted,
            "newest",
            within=args.fields or (),
        )
    except Invalid as error:
        error.field = "query" if error.field == "q" else error.field
        error.message = error.message.replace("q takes", "query takes", 1)
        raise
    return listing_answer(
        "Messages found", found, wanted, "The same search with page={page} shows older ones."
    )
