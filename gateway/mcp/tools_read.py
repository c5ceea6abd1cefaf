"""Reading: the messages of an inbox, one message, its attachments, and search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from gateway.api.times import parse_day
from gateway.core.access import reads
from gateway.core.errors import Invalid
from gateway.core.mail import messages
from gateway.core.mail.attachment_text import text_of
from gateway.core.mail.search import search_messages as search
from gateway.mcp.arguments import (
    Doc,
    Id,
    InboxId,
    Limit,
    MessageId,
    Offset,
    Page,
    UnlistedInboxId,
    ref_of,
    window,
)
from gateway.mcp.mail_view import READ_CHARACTERS, MessagePage, body_of, cut, message_page, whole
from gateway.mcp.resolve import inbox_of, message_of
from gateway.mcp.schema import UNLISTED
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.records.ids import MESSAGE_ID
from gateway.store.listing import Filter

box = Toolbox()


class CheckInbox(Arguments):
    inbox_id: InboxId = None
    limit: Limit = 10
    page: Page = 1
    unread_only: Annotated[bool, Doc(description="Only unread.")] = False
    label: Annotated[str | None, Doc(description="Only this label, such as spam.")] = None
    include_sent: Annotated[bool, Doc(description="Also sent messages.")] = False


@box.tool("Check inbox", access=reads("message_read"), read_only=True)
async def check_inbox(call: Call[CheckInbox]) -> Answer[MessagePage]:
    """List the messages of an inbox, newest first; spam, trash and mail that failed sender authentication only by
    label. To wait for new mail, use wait_for_email."""
    args = call.args
    inbox = await inbox_of(call, args.inbox_id)
    labels = [*(["unread"] if args.unread_only else []), *([args.label.strip()] if args.label else [])]
    wanted = window(args.limit, args.page)
    found = await messages.list_messages(
        call.core,
        call.scope,
        inbox.id,
        Filter(
            labels=tuple(label for label in labels if label),
            direction=None if args.include_sent else "inbound",
        ),
        wanted,
    )
    kind = "Messages" if args.include_sent else "Unread messages" if args.unread_only else "Messages received"
    return message_page(
        f"{kind} in {inbox.address}",
        found,
        wanted,
        "check_inbox with page={page} shows older ones.",
        0 if args.label else found.unauthenticated,
    )


class ReadMessage(Arguments):
    message_id: MessageId
    inbox_id: InboxId = None
    full: Annotated[bool, Doc(description="Also quoted history and signature.")] = False
    offset: Offset = 0


class MessageRead(Result):
    """One message, with the part of its body that was asked for."""

    message: dict[str, Any]
    notice: Annotated[str, UNLISTED]


@box.tool("Read message", access=reads("message_read"), read_only=True)
async def read_message(call: Call[ReadMessage]) -> Answer[MessageRead]:
    """Read a message: body, sender and its authentication, attachments. It stays unread."""
    args = call.args
    inbox, ulid = await message_of(call, args.inbox_id, args.message_id)
    mail = await messages.get_message(call.core, call.scope, inbox, ulid)
    fence = Fence()
    text, message = whole(mail, fence, full=args.full, offset=args.offset)
    tail = []
    if message["text_next"] is not None:
        tail.append(f"read_message with offset={message['text_next']} shows more.")
    if not args.full and body_of(mail.texts, full=False).strip() != body_of(mail.texts, full=True).strip():
        tail.append("The quoted history is left out; full=true shows it.")
    if message["untrusted"]["attachments"]:
        tail.append("read_attachment shows the text of an attachment.")
    return Answer("\n".join([fence.notice, text, *tail]), MessageRead(message=message, notice=fence.notice))


class ReadAttachment(Arguments):
    message_id: MessageId
    filename: Annotated[str, Doc(description="As in read_message.")]
    inbox_id: UnlistedInboxId = None
    offset: Offset = 0


class AttachmentRead(Result):
    """A part of an attachment's text, ``text_start`` characters from its beginning; ``text_next``: null at the end."""

    message_id: str
    content_type: Annotated[str, UNLISTED]
    size: Annotated[int, UNLISTED]
    method: Annotated[str, UNLISTED]
    text_start: Annotated[int, UNLISTED]
    text_next: int | None
    text_total: Annotated[int, UNLISTED]
    untrusted: dict[str, str]
    notice: Annotated[str, UNLISTED]


@box.tool("Read attachment", access=reads("message_read"), read_only=True)
async def read_attachment(call: Call[ReadAttachment]) -> Answer[AttachmentRead]:
    """Read the text of an attachment: PDF, Office, CSV, text, pictures if the server has OCR."""
    args = call.args
    _, ulid = await message_of(call, args.inbox_id, args.message_id)
    try:
        found = await text_of(call.core, call.scope, ulid, args.filename)
    except Invalid as error:
        error.field, error.fix = "filename", "tell your user that a person has to open the file"
        raise
    part = cut(found.text, args.offset, READ_CHARACTERS)
    fence = Fence()
    body = fence.around(part.text)
    read = AttachmentRead(
        message_id=MESSAGE_ID.public(ulid),
        content_type=one_line(found.attachment.content_type, 100),
        size=found.attachment.size,
        method=found.method,
        text_start=part.start,
        text_next=part.next,
        text_total=part.total,
        untrusted={"filename": one_line(found.name, 200), "text": body},
        notice=fence.notice,
    )
    tail = f"Characters {part.start} to {part.start + len(part.text)} of {part.total}."
    if part.next is not None:
        tail += f" read_attachment with offset={part.next} shows more."
    return Answer("\n".join([fence.notice, body, tail]), read)


class SearchMessages(Arguments):
    query: Annotated[str, Doc(description='All words must occur; "words" in sequence.')]
    inbox_id: Annotated[Id | None, Doc(description="Only this inbox.")] = None
    fields: Annotated[
        list[Literal["subject", "body"]] | None,
        Doc(description="Only in these."),
    ] = None
    date_from: Annotated[str | None, Doc(description="First day, YYYY-MM-DD.")] = None
    date_to: Annotated[str | None, Doc(description="Last day, inclusive.")] = None
    limit: Limit = 10
    page: Page = 1


@box.tool("Search messages", access=reads("message_read"), read_only=True)
async def search_messages(call: Call[SearchMessages]) -> Answer[MessagePage]:
    """Search all messages, sent and received, newest first."""
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
    return message_page("Messages found", found, wanted, "The same search with page={page} shows older ones.")
