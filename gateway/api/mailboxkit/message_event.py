"""The message in the events about what was sent: as the API shows it, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import msgspec

from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.message_view import MessageView, facts_view
from gateway.records.event_types import MessageFacts, MessageRef, TextFacts

Maybe = str | msgspec.UnsetType


class MessageNews(MessageView, kw_only=True):
    """A message and what became of it; what a type does not have is left out.

    ``recipients``: whom the event is about. ``bounce_type``: Permanent or Transient; ``reason``: why it bounced, was
    complained about or rejected.
    """

    recipients: list[str] | msgspec.UnsetType = msgspec.UNSET
    bounce_type: Maybe = msgspec.UNSET
    reason: Maybe = msgspec.UNSET


class News(TypedDict, total=False):
    """What an event says of its message. Without ``status`` the message's own is shown, without ``texts`` none."""

    status: str
    texts: TextFacts
    recipients: Sequence[str]
    bounce_type: str
    reason: str


def message_news(ref: MessageRef, links: FileLinks, **news: Unpack[News]) -> MessageNews:
    """The message of an event about what was sent, and what the event says."""
    texts = news.get("texts", TextFacts())
    message = MessageFacts(
        id=ref.message_id,
        inbox_id=ref.inbox_id,
        thread_id=ref.thread_id,
        rfc_message_id=ref.rfc_message_id,
        direction=ref.direction,
        from_=ref.from_,
        to=ref.to,
        cc=ref.cc,
        bcc=ref.bcc,
        subject=ref.subject,
        attachments=ref.attachments,
        status=news.get("status", ref.status),
        test=ref.test,
        timestamp=ref.timestamp,
        text=texts.text,
        html=texts.html,
        extracted_text=texts.extracted_text,
    )
    return MessageNews(
        **msgspec.structs.asdict(facts_view(message, links)),
        recipients=list(news["recipients"]) if "recipients" in news else msgspec.UNSET,
        bounce_type=news.get("bounce_type", msgspec.UNSET),
        reason=news.get("reason", msgspec.UNSET),
    )
