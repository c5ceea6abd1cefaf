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
from gateway.core.mail.server_copy import spots_of, whole_message
from gateway.core.sending.send import SendRequest, send
from gateway.core.sending.sent_before import Once
from gateway.core.sent import Sent
from gateway.mime.attachment_content import attachment_content
from gateway.mime.reply.reply import (
    Original,
    forward_html,
    forward_subject,
    forward_text,
    quote_html,
    quote_text,
    reply_recipients,
    reply_references,
    reply_subject,
)
from gateway.mime.types import Address, OutgoingAttachment
from gateway.records.inboxes import Inbox
from gateway.store.engine import Row, Tx
from gateway.store.json_columns import load
from gateway.store.people import people_of, person_of
from gateway.store.scope import Scope
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
    headers: Mapping[str, str] = field(default_factory=dict)
    quote: bool = False
    unsubscribe: bool = False
    track_opens: bool | None = None


async def reply(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    original_row: Row,
    request: ReplyRequest,
    *,
    reply_all: bool = False,
    idempotency: Completion | None = None,
    also: Callable[[Tx], None] | None = None,
) -> Sent:
    """Answer a message, in its thread. ``original_row``: as ``messages.get_message`` answers it.

    Raises what ``sending.send`` raises. The original is marked \\Answered on the mail server, if it is there.
    """
    wanted = reply_request(inbox, original_row, request, reply_all=reply_all)
    sent = await send(core, scope, inbox, wanted, idempotency, also)
    if not scope.test:
        await mark_answered(core, inbox, original_row["id"])
    return sent


async def forward(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    original_row: Row,
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
    wanted = forward_request(original_row, request)
    kept = await original_attachments(core, inbox, original_row)
    wanted = replace(wanted, attachments=[*kept, *wanted.attachments])
    return await send(core, scope, inbox, wanted, idempotency, also, once)


def reply_request(
    inbox: Inbox, original_row: Row, request: ReplyRequest, *, reply_all: bool = False
) -> SendRequest:
    """The send that answers ``original_row``. Raises Invalid when there is nobody to answer."""
    original = original_of(original_row)
    people = reply_recipients(original, inbox.address, reply_all=reply_all)
    blind = [] if request.to else _blind(original_row)
    to = list(request.to) or [str(one) for one in people.to if not blind]
    cc = [] if request.to and not reply_all else [str(one) for one in people.cc]
    if not to and not cc and not blind and not request.cc and not request.bcc:
        raise Invalid("the message names nobody to answer", field="to", fix="give to")
    in_reply_to = original.message_id
    return SendRequest(
        to=to,
        cc=[*cc, *request.cc],
        bcc=[*blind, *request.bcc],
        reply_to=request.reply_to,
        subject=reply_subject(original.subject) if request.subject is None else request.subject,
        text=quote_text(original, request.text or "")
        if request.quote and (request.html is None or request.text is not None)
        else request.text,
        html=quote_html(original, request.html)
        if request.quote and request.html is not None
        else request.html,
        labels=request.labels,
        attachments=request.attachments,
        attachment_bytes=request.attachment_bytes,
        headers=request.headers,
        unsubscribe=request.unsubscribe,
        track_opens=request.track_opens,
        in_reply_to=in_reply_to,
        references=reply_references(original),
        thread_id=original_row["thread_id"],
    )


def _blind(original_row: Row) -> list[str]:
    """Whom one's own message went to when it named nobody: an answer goes to them, and they stay unnamed."""
    named = people_of(original_row["to_json"]) + people_of(original_row["cc_json"])
    if original_row["direction"] != "outbound" or named:
        return []
    return [str(_usable(one)) for one in people_of(original_row["bcc_json"])]


def forward_request(original_row: Row, request: ReplyRequest) -> SendRequest:
    """The send that forwards ``original_row``, without the original's attachments."""
    original = original_of(original_row)
    html = request.html
    if html is not None or original.html is not None:
        html = forward_html(original, html if html is not None else _as_html(request.text or ""))
    return SendRequest(
        to=request.to,
        cc=request.cc,
        bcc=request.bcc,
        reply_to=request.reply_to,
        subject=forward_subject(original.subject) if request.subject is None else request.subject,
        text=forward_text(original, request.text or "")
        if request.text or original.text or not html
        else None,
        html=html,
        labels=request.labels,
        attachments=request.attachments,
        headers=request.headers,
        unsubscribe=request.unsubscribe,
        track_opens=request.track_opens,
    )


def original_of(row: Row) -> Original:
    """What replying needs of a message row (with ``text`` and ``html``). Ids no header can hold are left out."""
    own = row["rfc_message_id"]
    own = own if own and usable_id(own) else None
    answered = row["in_reply_to"]
    sender = person_of(row["from_json"])
    return Original(
        message_id=own,
        references=[one for one in load(row["references_json"]) if usable_id(one)],
        in_reply_to=[answered] if answered and usable_id(answered) else [],
        subject=one_line(row["subject"]),
        sender=_usable(sender) if sender else None,
        reply_to=[_usable(one) for one in people_of(row["reply_to_json"])],
        to=[_usable(one) for one in people_of(row["to_json"])],
        cc=[_usable(one) for one in people_of(row["cc_json"])],
        date=row["timestamp"],
        text=row.get("text"),
        html=row.get("html"),
    )


def usable_id(message_id: str) -> bool:
    """Whether a Message-ID of a mail can stand in a header of ours."""
    return _ID.match(message_id) is not None


async def original_attachments(core: Core, inbox: Inbox, original_row: Row) -> list[OutgoingAttachment]:
    """The attachments of a message, read from the mail server (or the outbox). Raises NotFound, Unavailable."""
    facts = load(original_row["attachments_json"])
    if not facts:
        return []
    raw = await whole_message(core, inbox, original_row["id"])

    def take() -> list[OutgoingAttachment]:
        kept = []
        for one in facts:
            content = attachment_content(raw, one["id"])
            if content is not None:
                kept.append(
                    OutgoingAttachment(
                        filename=one["filename"] or "attachment",
                        content_type=one["content_type"],
                        content=content.data,
                        content_id=one["content_id"],
                        inline=one["content_disposition"] == "inline",
                    )
                )
        return kept

    return await asyncio.to_thread(take)


async def mark_answered(core: Core, inbox: Inbox, message_id: str) -> None:
    """Mark a message answered on the mail server, if it is there: a flag people see in their mail client.

    The reply stands without it, so failure is only logged.
    """
    spots = await core.store.read(lambda tx: spots_of(tx, message_id))
    if not spots:
        return
    spot = spots[0]

    def mark(client: Client) -> None:
        opened = client.open(spot.folder)
        if int(opened.get(b"UIDVALIDITY") or 0) == spot.uidvalidity:
            client.add_flags([spot.uid], [ANSWERED], silent=True)

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
