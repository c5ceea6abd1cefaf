"""Reply, reply-all and forward: a send made from a message that is there."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from imapclient.exceptions import IMAPClientError

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.idempotency import Completion
from gateway.core.mail.server_copy import open_folder, whole_message
from gateway.core.sending.answered_people import answered_people
from gateway.core.sending.recipient_domains import reachable
from gateway.core.sending.send import SendRequest, send
from gateway.core.sending.sent_before import Once
from gateway.core.sent import Sent
from gateway.mime.attachment_content import attachment_content
from gateway.mime.attachment_names import names_of
from gateway.mime.attachments import outgoing
from gateway.mime.reply.reply import (
    Original,
    Recipients,
    forward_html,
    forward_subject,
    forward_text,
    quote_html,
    quote_text,
    reply_references,
    reply_subject,
)
from gateway.mime.types import Address, OutgoingAttachment
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail, Message
from gateway.store.queries.locations import copies_of
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.base import MailServerError
from mailserver.imap import Client

log = logging.getLogger("postern.replies")

_ID = re.compile(r"<[!-;=?-~]{1,900}>\Z")
_FLAG_SECONDS = 2.0
ANSWERED = b"\\Answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """What a reply or forward adds. ``to`` replaces whom a reply goes to; a forward needs recipients.

    ``quote``: put the original under the new text (a forward always has it).
    """

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    labels: Sequence[str] = ()
    attachments: Sequence[OutgoingAttachment] = ()
    attachment_bytes: int | None = None
    most_recipients: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    quote: bool = False
    unsubscribe: bool = False
    track_opens: bool | None = None


async def reply(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    original: Mail,
    request: ReplyRequest,
    *,
    reply_all: bool = False,
    idempotency: Completion | None = None,
    also: Callable[[Tx], None] | None = None,
) -> Sent:
    """Answer a message, in its thread. ``original``: with its texts.

    Raises what ``sending.send`` raises. The original is marked \\Answered on the mail server, if it is there.
    """
    people = await core.store.read(
        lambda tx: answered_people(tx, inbox, original.message, reply_all=reply_all)
    )
    if reply_all:
        people = Recipients(people.to, await reachable(core, people.cc))
    wanted = reply_request(original, people, request, reply_all=reply_all)
    sent = await send(core, scope, inbox, wanted, idempotency, also)
    if not scope.test:
        await mark_answered(core, inbox, original.message.id)
    return sent


async def forward(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    original: Mail,
    request: ReplyRequest,
    *,
    idempotency: Completion | None = None,
    also: Callable[[Tx], None] | None = None,
    once: Once | None = None,
) -> Sent:
    """Send a message on, with its attachments, as the start of a new thread.

    Raises what ``sending.send`` raises, and NotFound or Unavailable when the original's attachments cannot be
    read from the mail server.
    """
    wanted = forward_request(original, request)
    kept = await original_attachments(core, inbox, original.message)
    wanted = replace(wanted, attachments=[*kept, *wanted.attachments])
    return await send(core, scope, inbox, wanted, idempotency, also, once)


def reply_request(
    original: Mail, people: Recipients, request: ReplyRequest, *, reply_all: bool = False
) -> SendRequest:
    """The send that answers ``original``, which goes to ``people`` (``answered_people``) unless the request says whom.

    Raises Invalid when there is nobody to answer.
    """
    parts = original_of(original)
    blind = [] if request.to else _blind(original.message)
    to = list(request.to) or [str(one) for one in people.to if not blind]
    cc = [] if request.to and not reply_all else [str(one) for one in people.cc]
    if not to and not cc and not blind and not request.cc and not request.bcc:
        raise Invalid("the message names nobody to answer", field="to", fix="give to")
    return SendRequest(
        to=to,
        cc=[*cc, *request.cc],
        bcc=[*blind, *request.bcc],
        reply_to=request.reply_to,
        subject=reply_subject(parts.subject) if request.subject is None else request.subject,
        text=quote_text(parts, request.text or "")
        if request.quote and (request.html is None or request.text is not None)
        else request.text,
        html=quote_html(parts, request.html) if request.quote and request.html is not None else request.html,
        labels=request.labels,
        attachments=request.attachments,
        attachment_bytes=request.attachment_bytes,
        most_recipients=request.most_recipients,
        headers=request.headers,
        unsubscribe=request.unsubscribe,
        track_opens=request.track_opens,
        about=original.message.id,
        in_reply_to=parts.message_id,
        references=reply_references(parts),
        thread_id=original.message.thread_id,
    )


def _blind(original: Message) -> list[str]:
    """Whom one's own message went to when it named nobody: an answer goes to them, and they stay unnamed."""
    if original.direction != "outbound" or original.to or original.cc:
        return []
    return [str(_usable(one)) for one in original.bcc]


def forward_request(original: Mail, request: ReplyRequest) -> SendRequest:
    """The send that forwards ``original``, without the original's attachments."""
    parts = original_of(original)
    html = request.html
    if html is not None or parts.html is not None:
        html = forward_html(parts, html if html is not None else _as_html(request.text or ""))
    return SendRequest(
        to=request.to,
        cc=request.cc,
        bcc=request.bcc,
        reply_to=request.reply_to,
        subject=forward_subject(parts.subject) if request.subject is None else request.subject,
        text=forward_text(parts, request.text or "") if request.text or parts.text or not html else None,
        html=html,
        labels=request.labels,
        attachments=request.attachments,
        most_recipients=request.most_recipients,
        headers=request.headers,
        unsubscribe=request.unsubscribe,
        track_opens=request.track_opens,
        about=original.message.id,
    )


def original_of(mail: Mail) -> Original:
    """What replying needs of a message with its texts. Ids no header can hold are left out."""
    message = mail.message
    own, answered, sender = message.rfc_message_id, message.in_reply_to, message.sender
    return Original(
        message_id=own if own and usable_id(own) else None,
        references=[one for one in message.references if usable_id(one)],
        in_reply_to=[answered] if answered and usable_id(answered) else [],
        subject=one_line(message.subject),
        sender=_usable(sender) if sender else None,
        reply_to=[_usable(one) for one in message.reply_to],
        to=[_usable(one) for one in message.to],
        cc=[_usable(one) for one in message.cc],
        date=message.timestamp,
        text=mail.texts.text,
        html=mail.texts.html,
    )


def usable_id(message_id: str) -> bool:
    """Whether a Message-ID of a mail can be written into a header of ours."""
    return _ID.match(message_id) is not None


async def original_attachments(core: Core, inbox: Inbox, original: Message) -> list[OutgoingAttachment]:
    """The attachments of a message, read from the mail server (or the outbox). Raises NotFound, Unavailable."""
    # what is packed into another attachment goes along in that
    attached = [one for one in original.attachments if ":" not in one.part]
    if not attached:
        return []
    raw = await whole_message(core, inbox, original.id)

    def take() -> list[OutgoingAttachment]:
        kept = []
        for one, name in zip(attached, names_of(attached), strict=True):
            content = attachment_content(raw, one.id)
            if content is not None:
                kept.append(outgoing(content.attachment, name, content.data))
        return kept

    return await asyncio.to_thread(take)


async def mark_answered(core: Core, inbox: Inbox, message_id: MessageId) -> None:
    """Mark a message answered on the mail server, if it is there: a flag people see in their mail client.

    The reply is complete without it, so failure is only logged.
    """
    copies = await core.store.read(lambda tx: copies_of(tx, message_id))
    if not copies:
        return
    copy = copies[0]

    def mark(client: Client) -> None:
        if open_folder(client, copy.folder, copy.uidvalidity):
            client.add_flags([copy.uid], [ANSWERED], silent=True)

    async def try_it() -> None:
        try:
            await core.imap.run(inbox.address, mark)
        except (MailServerError, IMAPClientError) as error:
            log.info("message %s is answered but could not be marked so: %s", message_id, error)

    # the connection belongs to a thread: cancelling would only wait for it, so a slow one is left to finish
    await asyncio.wait([asyncio.create_task(try_it())], timeout=_FLAG_SECONDS)


def one_line(text: str) -> str:
    """What a mail says in a field, fit for a field of ours: printable, on one line, not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:900]


def _usable(one: Address) -> Address:
    """An address from a mail, its name fit for an address field of ours."""
    return Address(one_line(one.name)[:300], one.email)


def _as_html(text: str) -> str:
    lines = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return lines.replace("\n", "<br>\n")
