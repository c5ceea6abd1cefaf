"""Send an email, or answer in a thread (contract §4): once for each Idempotency-Key.

What counts as the same request is what was asked, not its octets: a client that repeats a form draws a new
boundary. The key is looked up before anything that limits sending, so a repeat is answered even then. A request
without the header is sent each time that it comes: the clients that have no key do not repeat by themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from functools import partial

import msgspec

from gateway.api.body import encode
from gateway.api.idempotency import send_once
from gateway.api.openmail.message_view import Status
from gateway.api.openmail.send_form import MAX_SUBJECT, SendBody, SendGiven, read_send
from gateway.api.routing import Call, NoQuery, Table, encoded
from gateway.api.times import iso_of
from gateway.core.access import changes
from gateway.core.errors import CoreError, Invalid
from gateway.core.idempotency import Completion
from gateway.core.lookup import find_inbox
from gateway.core.sending import send as sending
from gateway.core.sending.thread_reply import ThreadReply, reply_in_thread
from gateway.core.sent import Sent
from gateway.mime.addresses import InvalidAddress, parse_user_address
from gateway.mime.html_guess import looks_like_html
from gateway.mime.html_text import html_to_text
from gateway.records.ids import MESSAGE_ID, REVIEW_ID, THREAD_ID, message_id_header
from gateway.records.inboxes import Inbox
from gateway.records.mail import Direction

table = Table("messages")

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?\Z")
_SECOND_US = 1_000_000
_FIELDS = {"text": "body", "html": "bodyHtml", "reply_to": "replyTo"}


class SentView(msgspec.Struct, rename="camel"):
    """An accepted email. ``id`` is the ``messageId``, ``providerMessageId`` the Message-ID in the mail. ``reviewId``:
    only of one that is held until a person approves it."""

    message_id: str
    thread_id: str
    provider_message_id: str
    status: Status
    id: str
    inbox_id: str
    direction: Direction
    created_at: str
    review_id: str | msgspec.UnsetType = msgspec.UNSET


@table.post(
    "/inboxes/{inbox_id}/send",
    raw_body=True,
    files="attachments",
    repeatable=True,
    access=changes("message_send", test="any"),
)
async def send_email(call: Call[SendBody, NoQuery]) -> SentView:
    """Send an email from an inbox, as JSON or multipart/form-data.

    With the header Idempotency-Key a repeated request is answered again and sends nothing.

    With ``threadId`` it answers in that thread: the subject is the thread's with one ``Re:``, the last message is
    quoted unless ``includeQuote`` is false, and whoever copied the inbox stays in Cc.
    """
    core = call.core
    inbox = await core.store.read(lambda tx: find_inbox(tx, call.scope, call.ids["inbox_id"]))
    key = idempotency_key(call.request.headers.get("idempotency-key"))
    given = await read_send(call)
    _check(given.body, core.settings.limits.recipients)
    fingerprint = await asyncio.to_thread(_fingerprint, inbox.id, given)
    answer = await send_once(
        call,
        f"openmail/{call.scope.organization}",
        # any printable key will do here; what is kept is its digest
        None if key is None else hashlib.sha256(key.encode()).hexdigest(),
        fingerprint,
        partial(render_sent, inbox, call.scope.test),
        partial(_send, call, inbox, given),
    )
    return encoded(answer, SentView)


def idempotency_key(text: str | None) -> str | None:
    """The key of a send; None: it has none. Raises Invalid, also for an empty one: its client means to have a key."""
    if text is None:
        return None
    key = text.strip()
    if not key:
        raise Invalid(
            "the header Idempotency-Key is empty",
            code="missing_idempotency_key",
            field="Idempotency-Key",
            fix="send a fresh UUID with each new email, and the same one when you repeat a request",
        )
    if not _KEY.match(key):
        raise Invalid(
            "Idempotency-Key must be 1 to 255 printable ASCII characters",
            field="Idempotency-Key",
            fix="use a fresh UUID for each email",
        )
    return key


def _fingerprint(inbox_id: str, given: SendGiven) -> str:
    """A digest of what was asked."""
    files = [(one.filename, one.content_type, hashlib.sha256(one.content).hexdigest()) for one in given.files]
    body = msgspec.structs.replace(
        given.body,
        include_quote=given.body.include_quote is not False,
        cc=given.body.cc or [],
        bcc=given.body.bcc or [],
    )
    return hashlib.sha256(encode([inbox_id, body, files])).hexdigest()


def render_sent(inbox: Inbox, test: bool, sent: Sent) -> tuple[int, str]:
    """Status and body of the answer to an accepted email."""
    message_id, at = sent.message_id, sent.at
    view = SentView(
        message_id=MESSAGE_ID.public(message_id),
        thread_id=THREAD_ID.public(sent.thread_id),
        provider_message_id=message_id_header(message_id, inbox.domain),
        status="sent" if test else "pending",
        id=MESSAGE_ID.public(message_id),
        inbox_id=inbox.public_id,
        direction="outbound",
        created_at=iso_of(at - at % _SECOND_US),
        review_id=REVIEW_ID.public(sent.review_id) or msgspec.UNSET,
    )
    return 200, encode(view).decode()


async def _send(
    call: Call[SendBody, NoQuery], inbox: Inbox, given: SendGiven, completion: Completion | None
) -> Sent:
    body, core = given.body, call.core
    text, html = await asyncio.to_thread(_texts, body)
    reply_to = [body.reply_to] if body.reply_to is not None else []
    try:
        if body.thread_id is not None:
            answer = ThreadReply(
                to=body.to,
                cc=body.cc or (),
                bcc=body.bcc or (),
                reply_to=reply_to,
                text=text,
                html=html,
                attachments=given.files,
                quote=body.include_quote is not False,
                unsubscribe=bool(body.unsubscribe),
            )
            return await reply_in_thread(core, call.scope, inbox, body.thread_id, answer, completion)
        request = sending.SendRequest(
            to=[body.to],
            cc=body.cc or (),
            bcc=body.bcc or (),
            reply_to=reply_to,
            subject=body.subject or "",
            text=text,
            html=html,
            attachments=given.files,
            unsubscribe=bool(body.unsubscribe),
        )
        return await sending.send(core, call.scope, inbox, request, completion)
    except CoreError as error:
        name, _, _ = (error.field or "").partition("[")
        if name in _FIELDS or name == "to":  # in the words of this API
            error.field = _FIELDS.get(name, name)
        raise


def _check(body: SendBody, recipients: int) -> None:
    """What the struct cannot say. Raises Invalid."""
    if body.thread_id is None:
        if not (body.subject or "").strip():
            raise Invalid(
                "subject is required for a new thread",
                field="subject",
                fix="give subject, or threadId to answer",
            )
        if len(body.subject or "") > MAX_SUBJECT:
            raise Invalid(
                f"subject is longer than {MAX_SUBJECT} characters", field="subject", fix="shorten it"
            )
    for name, value in (("body", body.body), ("bodyHtml", body.body_html)):
        if value is not None and "\x00" in value:
            raise Invalid(f"{name} holds a NUL character", field=name, fix=f"take it out of {name}")
    copies = {"cc": body.cc or [], "bcc": body.bcc or []}
    if sum(map(len, copies.values())) >= recipients:
        field = max(copies, key=lambda name: len(copies[name]))
        raise Invalid(
            f"{len(copies[field])} addresses in {field} are too many: at most {recipients} in to, cc and bcc",
            field=field,
            fix="send to fewer people at a time",
        )
    given = [("to", body.to), ("replyTo", body.reply_to)]
    given += [(f"{name}[{number}]", one) for name, many in copies.items() for number, one in enumerate(many)]
    for name, address in given:
        if address is None:
            continue
        try:
            parse_user_address(address)
        except InvalidAddress as error:
            raise Invalid(f"{name}: {error}", field=name, fix="give one address, name@example.com") from error


def _texts(body: SendBody) -> tuple[str | None, str | None]:
    """Text and HTML of the mail; HTML alone gets a text of its own."""
    if body.body_html is not None:
        return body.body, body.body_html
    if looks_like_html(body.body):
        return html_to_text(body.body).text, body.body
    return body.body, None
