"""Send, reply, reply to all, forward: each once, however often a client repeats it with its Idempotency-Key."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.labels_body import as_list
from gateway.api.agentmail.views import Sent
from gateway.api.body import encode
from gateway.api.idempotency import Run, send_once
from gateway.api.routing import Call, NoQuery, Table, encoded
from gateway.core.access import changes
from gateway.core.idempotency import Completion
from gateway.core.lookup import find_inbox
from gateway.core.mail import messages
from gateway.core.sending import reply as replies
from gateway.core.sending import send as sending
from gateway.core.sending.reply import ReplyRequest
from gateway.core.sending.request_attachments import FileGiven, load_files
from gateway.core.sending.send import SendRequest
from gateway.core.sent import Sent as Accepted
from gateway.records.ids import MESSAGE_ID, REVIEW_ID, THREAD_ID

table = Table("Messages")
Doc = msgspec.Meta
Addresses = Annotated[str | list[str] | None, Doc(description="one address or several: a@b or Name <a@b>")]

MAX_RECIPIENTS = 50
"""Recipients of a message in to, cc and bcc together, as AgentMail documents it."""

_ONE = "/inboxes/{inbox_id}/messages/{message_id:rest}"


class SendBody(msgspec.Struct):
    """A message to send."""

    to: Addresses = None
    cc: Addresses = None
    bcc: Addresses = None
    reply_to: Addresses = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    labels: list[str] | None = None
    attachments: list[FileGiven] | None = None
    headers: dict[str, str] | None = None
    unsubscribe: Annotated[
        bool | None, Doc(description="add a one-click unsubscribe link for the one recipient (RFC 8058)")
    ] = None
    track_opens: Annotated[
        bool | None, Doc(description="report when the message is opened; default: as the server is set")
    ] = None


class ReplyBody(SendBody):
    """A reply: recipients and subject come from the original unless given."""

    reply_all: bool | None = None


async def once(call: Call[Any, Any], what: str, run: Run) -> Sent:
    """Run a send under the request's Idempotency-Key, if it has one. ``what`` names the operation and target."""
    key = call.request.headers.get("idempotency-key")
    digest = hashlib.sha256(f"{what}\n".encode() + encode(call.body)).hexdigest() if key else ""
    return encoded(await send_once(call, call.scope.organization, key, digest, render, run), Sent)


def render(sent: Accepted) -> tuple[int, str]:
    """Status and body of the answer to an accepted message."""
    view = Sent(
        MESSAGE_ID.public(sent.message_id),
        THREAD_ID.public(sent.thread_id),
        REVIEW_ID.public(sent.review_id) or msgspec.UNSET,
    )
    return 200, encode(view).decode()


@table.post("/inboxes/{inbox_id}/messages/send", access=changes("message_send", test="any"))
async def send_message(call: Call[SendBody, NoQuery]) -> Sent:
    """Send a message from an inbox."""
    body = call.body
    inbox = await call.core.store.read(lambda tx: find_inbox(tx, call.scope, call.ids["inbox_id"]))

    async def run(completion: Completion | None) -> Accepted:
        request = SendRequest(
            to=as_list(body.to),
            cc=as_list(body.cc),
            bcc=as_list(body.bcc),
            reply_to=as_list(body.reply_to),
            subject=body.subject or "",
            text=body.text,
            html=body.html,
            labels=body.labels or (),
            attachments=await load_files(call.core, body.attachments or []),
            headers=body.headers or {},
            unsubscribe=bool(body.unsubscribe),
            track_opens=body.track_opens,
            most_recipients=MAX_RECIPIENTS,
        )
        return await sending.send(call.core, call.scope, inbox, request, completion)

    return await once(call, f"send {inbox.id}", run)


@table.post(f"{_ONE}/reply", access=changes("message_send", "message_read", test="any"))
async def reply(call: Call[ReplyBody, NoQuery]) -> Sent:
    """Reply to a message, in its thread: to its Reply-To, else its sender."""
    return await _answer_message(call, "reply", reply_all=bool(call.body.reply_all))


@table.post(f"{_ONE}/reply-all", access=changes("message_send", "message_read", test="any"))
async def reply_all(call: Call[ReplyBody, NoQuery]) -> Sent:
    """Reply to a message's sender and all its recipients but the inbox itself."""
    return await _answer_message(call, "reply-all", reply_all=True)


@table.post(f"{_ONE}/forward", access=changes("message_send", "message_read", test="any"))
async def forward(call: Call[SendBody, NoQuery]) -> Sent:
    """Forward a message with its attachments, as a new thread."""
    return await _answer_message(call, "forward", reply_all=False)


async def _answer_message(call: Call[Any, Any], kind: str, *, reply_all: bool) -> Sent:
    core, body = call.core, call.body
    inbox = await core.store.read(lambda tx: find_inbox(tx, call.scope, call.ids["inbox_id"]))
    found = await messages.get_messages(
        core, call.scope, inbox.id, [call.ids["message_id"]], texts=True, strict=True
    )

    async def run(completion: Completion | None) -> Accepted:
        original = found[0]
        request = ReplyRequest(
            to=as_list(body.to),
            cc=as_list(body.cc),
            bcc=as_list(body.bcc),
            reply_to=as_list(body.reply_to),
            subject=body.subject,
            text=body.text,
            html=body.html,
            labels=body.labels or (),
            attachments=await load_files(core, body.attachments or []),
            headers=body.headers or {},
            unsubscribe=bool(body.unsubscribe),
            track_opens=body.track_opens,
            most_recipients=MAX_RECIPIENTS,
        )
        if kind == "forward":
            if original.message.truncated:
                original = await messages.with_whole_texts(core, inbox, original)
            return await replies.forward(core, call.scope, inbox, original, request, idempotency=completion)
        return await replies.reply(
            core, call.scope, inbox, original, request, reply_all=reply_all, idempotency=completion
        )

    return await once(call, f"{kind} {inbox.id} {found[0].message.id}", run)
