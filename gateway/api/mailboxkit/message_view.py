"""A message as MailboxKit shows it, in answers and in events alike (contract, "Message")."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.api.extracted import Extracted
from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.times import to_seconds
from gateway.api.traits import TraitsView, traits_view
from gateway.mime.attachment_names import unique_names
from gateway.mime.types import Attachment
from gateway.records.event_types import MessageFacts
from gateway.records.ids import number_of
from gateway.records.mail import ListedMessage


class AttachmentView(msgspec.Struct):
    """An attachment; ``url`` needs no key and expires."""

    id: int
    filename: str
    mime_type: str
    size: int
    url: str


class MessageView(TraitsView, kw_only=True):
    """A message. Addresses are bare, the sender's name is ``from_name``; ``message_id`` has its angle brackets.

    ``bcc_emails`` is present on messages that the inbox sent. ``test``: a sandbox key sent it.
    """

    id: int
    ulid: str
    inbox_id: int
    message_id: str | None
    from_email: str
    from_name: str | None
    to_emails: list[str]
    cc_emails: list[str]
    bcc_emails: list[str] | msgspec.UnsetType = msgspec.UNSET
    subject: str
    text_body: str | None
    html_body: str | None
    extracted_text: str | None
    extracted: Extracted = msgspec.field(default_factory=Extracted)
    status: str
    thread_id: int
    attachments: list[AttachmentView]
    test: bool
    created_at: str


def message_view(mail: ListedMessage, links: FileLinks) -> MessageView:
    """An indexed message."""
    message, texts = mail.message, mail.texts
    return facts_view(
        MessageFacts(
            id=message.id,
            inbox_id=message.inbox_id,
            thread_id=message.thread_id,
            rfc_message_id=message.rfc_message_id,
            direction=message.direction,
            from_=message.sender,
            from_email=message.from_email,
            reply_to=message.reply_to,
            to=message.to,
            cc=message.cc,
            bcc=message.bcc,
            subject=message.subject,
            attachments=message.attachments_to_read,
            status=message.status,
            auto_submitted=int(message.auto_submitted),
            hidden_text=int(message.hidden_text),
            traits=message.traits,
            auth=message.auth,
            defects=message.defects,
            test=int(message.test),
            timestamp=message.timestamp,
            text=texts.text,
            html=texts.html,
            extracted_text=texts.extracted_text,
            one_time_code=texts.one_time_code,
            one_time_link=texts.one_time_link,
        ),
        links,
    )


def facts_view(facts: MessageFacts, links: FileLinks) -> MessageView:
    """A message from the index or from an event."""
    name, email = (facts.from_.name, facts.from_.email) if facts.from_ else (None, "")
    outbound = facts.direction == "outbound"
    return MessageView(
        id=number_of(facts.id),
        ulid=shown_ulid(facts.id),
        inbox_id=number_of(facts.inbox_id),
        message_id=facts.rfc_message_id,
        from_email=email.lower() if outbound else email,  # the inbox's own spelling
        from_name=name or None,
        to_emails=[one.email for one in facts.to],
        cc_emails=[one.email for one in facts.cc],
        bcc_emails=[one.email for one in facts.bcc] if outbound else msgspec.UNSET,
        subject=facts.subject,
        text_body=facts.text,
        html_body=facts.html,
        extracted_text=facts.extracted_text,
        extracted=Extracted(facts.one_time_code, facts.one_time_link),
        status=facts.status,
        thread_id=number_of(facts.thread_id),
        attachments=attachment_views(facts.attachments, facts.id, links),
        test=bool(facts.test),
        created_at=to_seconds(facts.timestamp),
        **traits_view(facts),
    )


def attachment_views(
    attachments: Sequence[Attachment], message_id: str, links: FileLinks
) -> list[AttachmentView]:
    """The attachments of a message, with unique file names. ``message_id``: bare ULID."""
    return [
        AttachmentView(
            id=number_of(one.id),
            filename=name,
            mime_type=one.content_type,
            size=one.size,
            url=links.url(message_id, one.id),
        )
        for one, name in zip(attachments, unique_names(attachments), strict=True)
    ]
