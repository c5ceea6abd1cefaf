"""The message of an event about a sent message: as the API shows it, with what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import msgspec

from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.message_view import MessageView, facts_view
from gateway.records.event_types import MessageFacts, MessageRef, TextFacts

Maybe = str | msgspec.UnsetType


class SentMessageView(MessageView, kw_only=True):
    """A message and what happened to it; fields that do not apply to the event type are absent.

    ``recipients``: the recipients that the event is about. ``bounce_type``: Permanent or Transient. ``reason``: why it
    bounced, was delayed, complained about or rejected.
    """

    recipients: list[str] | msgspec.UnsetType = msgspec.UNSET
    bounce_type: Maybe = msgspec.UNSET
    reason: Maybe = msgspec.UNSET
    review_id: Maybe = msgspec.UNSET
    decided_by: Maybe = msgspec.UNSET
    held_for: list[str] | msgspec.UnsetType = msgspec.UNSET
    risks: list[str] | msgspec.UnsetType = msgspec.UNSET
    edited: bool | msgspec.UnsetType = msgspec.UNSET


class Outcome(TypedDict, total=False):
    """What an event adds to its message. Default of ``status``: the message's own; of ``texts``: none."""

    status: str
    texts: TextFacts
    recipients: Sequence[str]
    bounce_type: str
    reason: str
    review_id: str
    decided_by: str
    held_for: Sequence[str]
    risks: Sequence[str]
    edited: bool


def sent_message_view(ref: MessageRef, links: FileLinks, **outcome: Unpack[Outcome]) -> SentMessageView:
    """The message of an event about a sent message, with what the event adds."""
    texts = outcome.get("texts", TextFacts())
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
        status=outcome.get("status", ref.status),
        test=ref.test,
        timestamp=ref.timestamp,
        text=texts.text,
        html=texts.html,
        extracted_text=texts.extracted_text,
    )
    return SentMessageView(
        **msgspec.structs.asdict(facts_view(message, links)),
        recipients=list(outcome["recipients"]) if "recipients" in outcome else msgspec.UNSET,
        bounce_type=outcome.get("bounce_type", msgspec.UNSET),
        reason=outcome.get("reason", msgspec.UNSET),
        review_id=outcome.get("review_id", msgspec.UNSET),
        decided_by=outcome.get("decided_by", msgspec.UNSET),
        edited=outcome.get("edited", msgspec.UNSET),
        held_for=list(outcome["held_for"]) if "held_for" in outcome else msgspec.UNSET,
    )
