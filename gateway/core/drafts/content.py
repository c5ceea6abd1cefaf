"""What a draft holds, and its MIME in the Drafts folder (RFC 5322, header X-Postern-Draft)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.core.errors import Invalid, Unavailable
from gateway.core.sending.send import MAX_REPLY_TO
from gateway.mime.addresses import InvalidAddress, parse_user_address
from gateway.mime.compose import bcc_field
from gateway.mime.header_rules import InvalidHeader, check_subject
from gateway.mime.types import Address, OutgoingAttachment, OutgoingMessage
from gateway.mime.workers.jobs import ComposeFailed
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.drafts import DraftContent
from gateway.records.ids import DRAFT_ID, DraftId, now_us
from gateway.records.inboxes import Inbox

HEADER = "X-Postern-Draft"


def check_people(given: Sequence[str], field: str) -> list[Address]:
    """The addresses of these texts. Raises Invalid naming ``field[n]``."""
    found = []
    for number, text in enumerate(given):
        try:
            found.append(parse_user_address(text))
        except InvalidAddress as error:
            raise Invalid(f"{field}[{number}]: {error}", field=f"{field}[{number}]") from error
    return found


def check_content(content: DraftContent, recipients: int) -> DraftContent:
    """The content with its subject as it is sent. Raises Invalid for what could never be sent."""
    try:
        subject = check_subject(content.subject)
    except InvalidHeader as error:
        raise Invalid(str(error), field="subject") from error
    for name, value in (("text", content.text), ("html", content.html)):
        if value is not None and "\x00" in value:
            raise Invalid(f"{name} holds a NUL character", field=name)
    for count, most, field, what in (
        (len(content.to) + len(content.cc) + len(content.bcc), recipients, "to", "recipients"),
        (len(content.reply_to), MAX_REPLY_TO, "reply_to", "addresses in reply_to"),
    ):
        if count > most:
            raise Invalid(
                f"a message has at most {most} {what}, and this one has {count}",
                field=field,
                fix="name fewer"
                if field == "reply_to"
                else "name fewer; limits.recipients is the operator's",
            )
    return msgspec.structs.replace(content, subject=subject)


def check_send_at(at: int) -> None:
    """Raises Invalid for a time that has passed."""
    if at <= now_us():
        raise Invalid("send_at is not in the future", field="send_at", fix="POST …/send sends at once")


def copy_message_id(inbox: Inbox, draft_id: DraftId) -> str:
    """The Message-ID of our own copies of a draft."""
    return f"<{DRAFT_ID.public(draft_id)}@{inbox.domain}>"


async def draft_mime(
    parser: ParserPool,
    inbox: Inbox,
    draft_id: DraftId,
    content: DraftContent,
    files: Sequence[OutgoingAttachment],
    at: int,
) -> bytes:
    """The draft as a mail client shows it. Unlike a sent mail it names its Bcc. Raises Invalid, Unavailable."""
    message = OutgoingMessage(
        message_id=copy_message_id(inbox, draft_id),
        sender=Address(inbox.display_name or "", inbox.address),
        to=content.to,
        cc=content.cc,
        reply_to=content.reply_to,
        subject=content.subject,
        text=content.text,
        html=content.html,
        attachments=list(files),
        headers={},
        in_reply_to=content.in_reply_to,
        references=content.references or [],
        date=at,
    )
    try:
        raw, _ = await parser.compose(message)
        hidden = bcc_field(content.bcc)
    except ValueError as error:
        raise Invalid(str(error)) from error
    except ComposeFailed as error:
        raise Unavailable(f"the draft cannot be written now: {error}", fix="try again") from error
    return f"{HEADER}: {DRAFT_ID.public(draft_id)}\r\n".encode() + hidden + raw
