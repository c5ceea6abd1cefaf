"""Sending: a new email, a reply, a forward."""

from __future__ import annotations

from typing import Annotated, Any

from gateway.api.times import to_seconds
from gateway.core.access import changes
from gateway.core.errors import Invalid, Missing
from gateway.core.mail import messages
from gateway.core.sending import reply as replies
from gateway.core.sending import send as sending
from gateway.core.sending.reply import ReplyRequest
from gateway.core.sending.send import SendRequest
from gateway.core.sent import Sent
from gateway.mcp.arguments import (
    Addresses,
    Doc,
    Files,
    IdempotencyKey,
    InboxId,
    MessageId,
    addresses,
    files,
)
from gateway.mcp.idempotency import send_once
from gateway.mcp.resolve import inbox_of, message_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.records.ids import public_id
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail

box = Toolbox()

To = Annotated[Addresses, Doc(description="Recipients: a@b.com or Name <a@b.com>.")]
Cc = Annotated[Addresses, Doc(description="Recipients of a copy.")]
Bcc = Annotated[Addresses, Doc(description="Recipients of a copy that the others do not see.")]
Text = Annotated[str | None, Doc(description="The body as plain text. Give text, html or both.")]
Html = Annotated[str | None, Doc(description="The body as HTML.")]


class SendEmail(Arguments):
    to: Annotated[list[str] | str, Doc(description="Recipients: a@b.com or Name <a@b.com>.")]
    subject: Annotated[str, Doc(description="The subject line.")]
    text: Text = None
    html: Html = None
    cc: Cc = None
    bcc: Bcc = None
    attachments: Files = None
    inbox_id: InboxId = None
    idempotency_key: IdempotencyKey = None


@box.tool("Send an email", access=changes("message_send", test="any"), open_world=True)
async def send_email(call: Call[SendEmail]) -> Answer:
    """Send a new email from an inbox. It is queued at once and cannot be taken back. To answer a message, use
    reply_to_email, which keeps the thread."""
    args = call.args
    if not addresses(args.to):
        raise Missing("to")
    text, html = body(args.text, args.html)
    inbox = await inbox_of(call, args.inbox_id)
    request = SendRequest(
        to=addresses(args.to),
        cc=addresses(args.cc),
        bcc=addresses(args.bcc),
        subject=args.subject,
        text=text,
        html=html,
        attachments=await files(call.core, args.attachments),
    )
    return await send_once(
        call,
        args.idempotency_key,
        inbox.id,
        lambda sent: accepted(call, inbox, sent),
        lambda once: sending.send(call.core, call.scope, inbox, request, once),
    )


class ReplyToEmail(Arguments):
    message_id: MessageId
    text: Text = None
    html: Html = None
    reply_all: Annotated[
        bool, Doc(description="Answer everyone who got the message, not the sender alone (default false).")
    ] = False
    cc: Annotated[Addresses, Doc(description="Further recipients of a copy.")] = None
    bcc: Bcc = None
    attachments: Files = None
    inbox_id: InboxId = None
    idempotency_key: IdempotencyKey = None


@box.tool("Reply to an email", access=changes("message_send", "message_read", test="any"), open_world=True)
async def reply_to_email(call: Call[ReplyToEmail]) -> Answer:
    """Answer a message in its thread; subject and recipients come from it. To answer a message you sent writes to its
    recipients again."""
    args = call.args
    text, html = body(args.text, args.html)
    inbox, original = await _original(call, args.inbox_id, args.message_id)
    request = ReplyRequest(
        cc=addresses(args.cc),
        bcc=addresses(args.bcc),
        text=text,
        html=html,
        attachments=await files(call.core, args.attachments),
    )
    return await send_once(
        call,
        args.idempotency_key,
        inbox.id,
        lambda sent: accepted(call, inbox, sent),
        lambda once: replies.reply(
            call.core, call.scope, inbox, original, request, reply_all=args.reply_all, idempotency=once
        ),
    )


class ForwardEmail(Arguments):
    message_id: MessageId
    to: Annotated[list[str] | str, Doc(description="Recipients: a@b.com or Name <a@b.com>.")]
    text: Annotated[str | None, Doc(description="What to say above the forwarded message.")] = None
    cc: Cc = None
    bcc: Bcc = None
    inbox_id: InboxId = None
    idempotency_key: IdempotencyKey = None


@box.tool("Forward an email", access=changes("message_send", "message_read", test="any"), open_world=True)
async def forward_email(call: Call[ForwardEmail]) -> Answer:
    """Send a message on to other people, with its attachments."""
    args = call.args
    if not addresses(args.to):
        raise Missing("to")
    inbox, original = await _original(call, args.inbox_id, args.message_id)
    request = ReplyRequest(
        to=addresses(args.to), cc=addresses(args.cc), bcc=addresses(args.bcc), text=args.text or None
    )
    return await send_once(
        call,
        args.idempotency_key,
        inbox.id,
        lambda sent: accepted(call, inbox, sent),
        lambda once: replies.forward(call.core, call.scope, inbox, original, request, idempotency=once),
    )


def body(text: str | None, html: str | None) -> tuple[str | None, str | None]:
    """Text and HTML, blank ones as None. Raises Invalid when nothing is written."""
    text, html = text if (text or "").strip() else None, html if (html or "").strip() else None
    if text is None and html is None:
        raise Invalid("the email has no body", field="text", fix="give text, html or both")
    return text, html


def accepted(call: Call[Any], inbox: Inbox, sent: Sent) -> Answer:
    """What an accepted email is answered with."""
    data: dict[str, Any] = {
        "message_id": public_id("msg", sent.message_id),
        "thread_id": public_id("thr", sent.thread_id),
        "inbox_id": inbox.public_id,
        "from": inbox.address,
        "to": [one.email for one in sent.message.to],
        "cc": [one.email for one in sent.message.cc],
        "bcc": [one.email for one in sent.bcc],
        "attachments": len(sent.message.attachments),
        "status": "queued",
        "sent_at": to_seconds(sent.at),
        "test": call.scope.test,
    }
    people = "; ".join(f"{name} {', '.join(data[name])}" for name in ("to", "cc", "bcc") if data[name])
    words = "Recorded, not sent (this is a sandbox key)" if call.scope.test else "Accepted and on its way"
    return Answer(
        f"{words}: {data['message_id']} from {inbox.address}, {people}; thread {data['thread_id']}.\n"
        f"For an answer, call wait_for_email with since={data['sent_at']}.",
        data,
    )


async def _original(call: Call[Any], inbox_id: int | str | None, message: int | str) -> tuple[Inbox, Mail]:
    inbox_ulid, ulid = await message_of(call, inbox_id, message)
    mail = await messages.get_message(call.core, call.scope, inbox_ulid, ulid)
    return await inbox_of(call, inbox_ulid), mail
