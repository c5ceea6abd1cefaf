"""A message as MailboxKit shows it, in answers and in events alike (contract, "Message")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.api.extracted import Extracted
from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.times import to_seconds
from gateway.mime.attachment_names import unique_names
from gateway.store.ids import number_of


class AttachmentView(msgspec.Struct):
    """An attachment; ``url`` needs no key and expires."""

    id: int
    filename: str
    mime_type: str
    size: int
    url: str


class MessageView(msgspec.Struct, kw_only=True):
    """A message. Addresses are bare, the sender's name is ``from_name``; ``message_id`` has its angle brackets.

    ``bcc_emails`` is there on what the inbox itself sent; ``test`` tells what a sandbox key sent.
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


def message_view(facts: Mapping[str, Any], links: FileLinks) -> MessageView:
    """``facts``: a message row with its JSON columns opened (``events.payload.message_facts``), and ``text``,
    ``html`` and ``extracted_text`` where they are known."""
    name, email = facts["from"] or (None, "")
    outbound = facts["direction"] == "outbound"
    return MessageView(
        id=number_of(facts["id"]),
        ulid=shown_ulid(facts["id"]),
        inbox_id=number_of(facts["inbox_id"]),
        message_id=facts["rfc_message_id"],
        from_email=email.lower() if outbound else email,  # as the inbox is shown, however a person writes it
        from_name=name or None,
        to_emails=_bare(facts["to"]),
        cc_emails=_bare(facts["cc"]),
        bcc_emails=_bare(facts["bcc"]) if outbound else msgspec.UNSET,
        subject=facts["subject"],
        text_body=facts.get("text"),
        html_body=facts.get("html"),
        extracted_text=facts.get("extracted_text"),
        extracted=Extracted(facts.get("one_time_code"), facts.get("one_time_link")),
        status=facts["status"],
        thread_id=number_of(facts["thread_id"]),
        attachments=attachment_views(facts["attachments"], facts["id"], links),
        test=bool(facts["test"]),
        created_at=to_seconds(facts["timestamp"]),
    )


def attachment_views(
    entries: Sequence[Mapping[str, Any]], message_id: str, links: FileLinks
) -> list[AttachmentView]:
    """A message's ``attachments``, each with a name of its own; ``message_id`` is the ULID."""
    return [
        AttachmentView(
            id=number_of(facts["id"]),
            filename=name,
            mime_type=facts["content_type"],
            size=facts["size"],
            url=links.url(message_id, facts["id"]),
        )
        for facts, name in zip(entries, unique_names(entries), strict=True)
    ]


def _bare(people: Sequence[Sequence[str]]) -> list[str]:
    return [email for _, email in people]
