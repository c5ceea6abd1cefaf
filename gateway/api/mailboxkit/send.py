"""Send an email, and reply to one (contract, "Send"). A repeat with the same Idempotency-Key sends once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response

from gateway.api.body import encode
from gateway.api.mailboxkit.billing import billed
from gateway.api.mailboxkit.idempotency import completion
from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.mailboxkit.listing import Data
from gateway.api.mailboxkit.send_form import MAX_FILES_TOGETHER, ReplyBody, SendBody, addresses, read_given
from gateway.api.routing import Call, NoQuery, Table, encoded
from gateway.api.times import to_seconds
from gateway.core.access import changes
from gateway.core.idempotency import Completion
from gateway.core.lookup import find_inbox
from gateway.core.mail import messages
from gateway.core.sending import reply as replies
from gateway.core.sending import send as sending
from gateway.core.sending.reply import ReplyRequest
from gateway.core.sending.send import SendRequest
from gateway.core.sent import Sent
from gateway.mime.attachment_names import unique_names
from gateway.records.ids import REVIEW_ID, number_of
from gateway.records.inboxes import Inbox

table = Table("messages")


class SentFile(msgspec.Struct):
    """An attachment of an accepted email."""

    id: int
    filename: str
    mime_type: str
    size: int


class SentView(msgspec.Struct):
    """An accepted email, as ``GET`` shows it but without its texts. ``status`` is queued at first. ``review_id``: only
    of one that is held until a person approves it."""

    id: int
    ulid: str
    inbox_id: int
    message_id: str | None
    from_email: str
    from_name: str | None
    to_emails: list[str]
    cc_emails: list[str]
    bcc_emails: list[str]
    subject: str
    status: str
    thread_id: int
    attachments: list[SentFile]
    test: bool
    created_at: str
    review_id: str | msgspec.UnsetType = msgspec.UNSET


@table.post(
    "/inboxes/{inbox_id}/messages/send",
    status=201,
    raw_body=True,
    files="attachments",
    access=changes("message_send", test="any"),
)
async def send_message(call: Call[SendBody, NoQuery]) -> Data[SentView]:
    """Send an email from an inbox, as JSON or multipart/form-data; at most 5 files of 10 MB."""
    inbox = await call.core.store.read(lambda tx: find_inbox(tx, call.scope, call.ids["inbox_id"]))
    given = await read_given(call, SendBody)
    body = given.body
    request = SendRequest(
        to=addresses(body.to),
        cc=addresses(body.cc),
        bcc=addresses(body.bcc),
        subject=body.subject or "",
        text=body.text,
        html=body.html,
        track_opens=body.track_opens,
        attachments=given.files,
        attachment_bytes=MAX_FILES_TOGETHER,
    )
    return await accept(call, inbox, lambda once: sending.send(call.core, call.scope, inbox, request, once))


@table.post(
    "/inboxes/{inbox_id}/messages/{message_id:rest}/reply",
    status=201,
    raw_body=True,
    files="attachments",
    access=changes("message_send", "message_read", test="any"),
)
async def reply(call: Call[ReplyBody, NoQuery]) -> Data[SentView]:
    """Reply to a message in its thread: to its Reply-To, or else its sender. A reply to a sent message goes to the
    recipients of that message."""
    core, ids = call.core, call.ids
    inbox = await core.store.read(lambda tx: find_inbox(tx, call.scope, ids["inbox_id"]))
    found = await messages.get_messages(core, call.scope, inbox.id, [ids["message_id"]], strict=True)
    given = await read_given(call, ReplyBody)
    body = given.body
    request = ReplyRequest(
        cc=addresses(body.cc),
        bcc=addresses(body.bcc),
        text=body.text,
        html=body.html,
        track_opens=body.track_opens,
        attachments=given.files,
        attachment_bytes=MAX_FILES_TOGETHER,
    )
    return await accept(
        call,
        inbox,
        lambda once: replies.reply(core, call.scope, inbox, found[0], request, idempotency=once),
    )


async def accept(
    call: Call[Any, NoQuery], inbox: Inbox, run: Callable[[Completion | None], Awaitable[Sent]]
) -> Data[SentView]:
    """Run a send, and answer with what was accepted."""
    render = partial(_answer, inbox, call.scope.test)
    with billed(call):
        sent = await run(completion(call, render))
    status, text = render(sent)
    return encoded(Response(text, status, media_type="application/json"), Data[SentView])


def _answer(inbox: Inbox, test: bool, sent: Sent) -> tuple[int, str]:
    message = sent.message
    view = SentView(
        id=number_of(sent.message_id),
        ulid=shown_ulid(sent.message_id),
        inbox_id=inbox.number,
        message_id=message.message_id,
        from_email=inbox.address,
        from_name=inbox.display_name or None,
        to_emails=[one.email for one in message.to],
        cc_emails=[one.email for one in message.cc],
        bcc_emails=[one.email for one in sent.bcc],
        subject=message.subject,
        status="queued",
        thread_id=number_of(sent.thread_id),
        attachments=[
            SentFile(number_of(one.id), name, one.content_type, one.size)
            for one, name in zip(message.attachments, unique_names(message.attachments), strict=True)
        ],
        test=test,
        created_at=to_seconds(sent.at),
        review_id=REVIEW_ID.public(sent.review_id) or msgspec.UNSET,
    )
    return 201, encode(Data(view)).decode()
