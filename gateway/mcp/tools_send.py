"""Sending: a new email, a reply, a forward."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from gateway.api.times import to_seconds
from gateway.core.access import changes
from gateway.core.errors import Invalid, Missing
from gateway.core.mail import messages
from gateway.core.sending import reply as replies
from gateway.core.sending import send as sending
from gateway.core.sending.reply import ReplyRequest
from gateway.core.sending.rsvp import Response, Rsvp, rsvp
from gateway.core.sending.send import SendRequest
from gateway.core.sent import Sent
from gateway.mcp.arguments import (
    Addresses,
    Doc,
    Files,
    IdempotencyKey,
    InboxId,
    MessageId,
    UnlistedInboxId,
    addresses,
    files,
)
from gateway.mcp.idempotency import send_once
from gateway.mcp.resolve import inbox_of, message_of
from gateway.mcp.schema import UNLISTED
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox
from gateway.records.ids import MESSAGE_ID, REVIEW_ID, THREAD_ID
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail

box = Toolbox()

RECIPIENTS = "a@b.com or A <a@b.com>."
To = Annotated[Addresses, Doc(description=RECIPIENTS)]
Cc = Annotated[Addresses, Doc(description="Cc.")]
Bcc = Annotated[Addresses, Doc(description="Bcc.")]
Text = Annotated[str | None, Doc(description="Text, html or both.")]
Html = Annotated[str | None, Doc(description="HTML.")]


class SentEmail(Result, rename={"sender": "from"}):
    """An accepted email. ``attachments``: how many. ``replayed``: a repeat of an earlier call, not sent again.
    ``review_id``: it is held until a person approves it."""

    message_id: str
    thread_id: str
    inbox_id: Annotated[str, UNLISTED]
    sender: Annotated[str, UNLISTED]
    to: Annotated[list[str], UNLISTED]
    cc: Annotated[list[str], UNLISTED]
    bcc: Annotated[list[str], UNLISTED]
    attachments: Annotated[int, UNLISTED]
    status: Annotated[str, UNLISTED]
    sent_at: str
    test: Annotated[bool, UNLISTED]
    replayed: Annotated[bool | UnsetType, UNLISTED] = UNSET
    review_id: Annotated[str | UnsetType, UNLISTED] = UNSET


class SendEmail(Arguments):
    to: Annotated[list[str] | str, Doc(description=RECIPIENTS)]
    subject: Annotated[str, Doc(description="Subject.")]
    text: Text = None
    html: Html = None
    cc: Cc = None
    bcc: Bcc = None
    attachments: Files = None
    inbox_id: InboxId = None
    idempotency_key: IdempotencyKey = None


@box.tool("Send email", access=changes("message_send", test="any"), open_world=True)
async def send_email(call: Call[SendEmail]) -> Answer[SentEmail]:
    """Send a new email. It cannot be recalled. To answer a message, use reply_to_email."""
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
    reply_all: Annotated[bool, Doc(description="To everybody.")] = False
    rsvp: Annotated[Response | None, Doc(description="To an invitation.")] = None
    cc: Cc = None
    bcc: Bcc = None
    attachments: Files = None
    inbox_id: InboxId = None
    idempotency_key: IdempotencyKey = None


@box.tool("Reply to email", access=changes("message_send", "message_read", test="any"), open_world=True)
async def reply_to_email(call: Call[ReplyToEmail]) -> Answer[SentEmail]:
    """Reply to a message in its thread. Subject and recipients are set from it."""
    args = call.args
    if args.rsvp is not None:
        return await _answer_invitation(call, args.rsvp)
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


async def _answer_invitation(call: Call[ReplyToEmail], response: Response) -> Answer[SentEmail]:
    """Answer the invitation in a message to its organizer alone."""
    args = call.args
    for name in ("html", "cc", "bcc", "attachments", "reply_all"):
        if getattr(args, name):
            raise Invalid(
                f"an answer to an invitation takes no {name}", field=name, fix="give text, or leave out rsvp"
            )
    inbox, original = await _original(call, args.inbox_id, args.message_id)
    return await send_once(
        call,
        args.idempotency_key,
        inbox.id,
        lambda sent: accepted(call, inbox, sent),
        lambda once: rsvp(
            call.core, call.scope, inbox, original, Rsvp(response=response, text=args.text), once
        ),
    )


class ForwardEmail(Arguments):
    message_id: MessageId
    to: Annotated[list[str] | str, Doc(description=RECIPIENTS)]
    text: Annotated[str | None, Doc(description="Your text above it.")] = None
    cc: Cc = None
    bcc: Bcc = None
    inbox_id: UnlistedInboxId = None
    idempotency_key: IdempotencyKey = None


@box.tool("Forward email", access=changes("message_send", "message_read", test="any"), open_world=True)
async def forward_email(call: Call[ForwardEmail]) -> Answer[SentEmail]:
    """Forward a message, with its attachments, to other people."""
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
    """Text and HTML, blank ones as None. Raises Invalid when both are blank."""
    text, html = text if (text or "").strip() else None, html if (html or "").strip() else None
    if text is None and html is None:
        raise Invalid("the email has no body", field="text", fix="give text, html or both")
    return text, html


def accepted(call: Call[Any], inbox: Inbox, sent: Sent) -> Answer[SentEmail]:
    """The answer for an accepted email."""
    email = SentEmail(
        message_id=MESSAGE_ID.public(sent.message_id),
        thread_id=THREAD_ID.public(sent.thread_id),
        inbox_id=inbox.public_id,
        sender=inbox.address,
        to=[person.email for person in sent.message.to],
        cc=[person.email for person in sent.message.cc],
        bcc=[person.email for person in sent.bcc],
        attachments=len(sent.message.attachments),
        status="queued" if sent.review_id is None else "held",
        sent_at=to_seconds(sent.at),
        test=call.scope.test,
        review_id=REVIEW_ID.public(sent.review_id) or UNSET,
    )
    recipients = (("to", email.to), ("cc", email.cc), ("bcc", email.bcc))
    people = "; ".join(f"{name} {', '.join(addresses)}" for name, addresses in recipients if addresses)
    if sent.review_id is not None:
        return Answer(
            f"Held for approval by a person, do not send it again: {email.message_id} from {inbox.address}, {people}; "
            f"thread {email.thread_id}, review {email.review_id}.",
            email,
        )
    state = "Recorded, not sent (this is a sandbox key)" if call.scope.test else "Accepted and on its way"
    return Answer(
        f"{state}: {email.message_id} from {inbox.address}, {people}; thread {email.thread_id}.\n"
        f"To wait for a reply, call wait_for_email with since={email.sent_at}.",
        email,
    )


async def _original(call: Call[Any], inbox_id: int | str | None, message: int | str) -> tuple[Inbox, Mail]:
    inbox_ulid, ulid = await message_of(call, inbox_id, message)
    mail = await messages.get_message(call.core, call.scope, inbox_ulid, ulid)
    return await inbox_of(call, inbox_ulid), mail
