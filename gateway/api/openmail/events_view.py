"""Events as OpenMail's webhooks and WebSocket show them (contract §8): rendered from the snapshot in the event's
row alone, so that a try months later still shows what happened then, whatever became of the message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.api.openmail.attachment_view import AttachmentView, attachment_views
from gateway.api.openmail.classification import Verdict, classify
from gateway.api.times import iso_of
from gateway.api.trust import TrustView, trust_view
from gateway.events.dialect_format import Try
from gateway.mime.types import Category
from gateway.records.event_types import (
    GuardTrippedFacts,
    ReceivedFacts,
    ReviewFacts,
    RiskyFacts,
    SuspensionFacts,
    ThreadMergedFacts,
    facts_of,
)
from gateway.records.events import Event
from gateway.records.ids import EVENT_ID, INBOX_ID, MESSAGE_ID, POD_ID, REVIEW_ID, THREAD_ID, EventId
from gateway.records.inboxes import Inbox

_REVIEWS = ("message.held", "message.approved", "review.rejected", "review.expired")
ON_SOCKETS = frozenset({"message.received", *_REVIEWS, "message.risky", "thread.merged", "guard.tripped"})
"""The types that a WebSocket shows too, opt-in ones to who names them; the others are for webhooks only."""
SOCKETS_FIRST = frozenset({"message.received"})
"""The types that no webhook gets when a WebSocket hears them."""

Maybe = str | None | msgspec.UnsetType


class MessageView(msgspec.Struct, kw_only=True):
    """The message in a ``message.received``; addresses are bare."""

    id: str
    rfc_message_id: str | None
    from_: str = msgspec.field(name="from")
    to: str
    cc: list[str]
    subject: str
    body_text: str
    attachments: list[AttachmentView]
    received_at: str
    auto_replyable: bool | None
    category: Category | None
    verdict: Verdict | None
    spam_score: float | None
    trust: TrustView | None


class EventView(msgspec.Struct, kw_only=True):
    """Any event; what a type does not have is left out."""

    event: str
    event_id: str
    occurred_at: str
    delivered_at: Maybe = msgspec.UNSET
    attempt: int | msgspec.UnsetType = msgspec.UNSET
    inbox_id: Maybe = msgspec.UNSET
    external_id: Maybe = msgspec.UNSET
    inbox_address: Maybe = msgspec.UNSET
    pod_id: Maybe = msgspec.UNSET
    thread_id: Maybe = msgspec.UNSET
    merged_thread_id: Maybe = msgspec.UNSET
    message_id: Maybe = msgspec.UNSET
    recipients: list[str] | msgspec.UnsetType = msgspec.UNSET
    rounds: int | msgspec.UnsetType = msgspec.UNSET
    held_until: Maybe = msgspec.UNSET
    message: MessageView | msgspec.UnsetType = msgspec.UNSET
    review_id: Maybe = msgspec.UNSET
    reasons: list[str] | msgspec.UnsetType = msgspec.UNSET
    decided_by: Maybe = msgspec.UNSET
    expires_at: Maybe = msgspec.UNSET
    edited: bool | msgspec.UnsetType = msgspec.UNSET
    reason: Maybe = msgspec.UNSET


def render(event: Event, attempt: Try, public_url: str) -> EventView | None:
    """An event as it is posted; None for a type OpenMail does not have.

    ``public_url``: how clients reach the API, for the attachments' links.
    """
    show = RENDERERS.get(event.type)
    return None if show is None else show(event, facts_of(event), attempt, public_url)


def render_test(event_id: EventId, attempt: Try, inbox: Inbox | None) -> EventView:
    """The body of a test event: to an inbox's webhook, or with ``inbox`` None to the account's."""
    return EventView(
        event="setup.test",
        event_id=EVENT_ID.public(event_id),
        occurred_at=iso_of(attempt.at),
        delivered_at=iso_of(attempt.at),
        attempt=attempt.number,
        inbox_id=inbox.public_id if inbox else None,
        inbox_address=inbox.address if inbox else None,
    )


def _received(event: Event, facts: ReceivedFacts, attempt: Try, public_url: str) -> EventView:
    message, inbox = facts.message, facts.inbox
    return EventView(
        event=event.type,
        event_id=event.public_id,
        occurred_at=iso_of(event.created_at),
        delivered_at=iso_of(attempt.at),
        attempt=attempt.number,
        inbox_id=INBOX_ID.public(message.inbox_id),
        external_id=(inbox.external_id if inbox else None) or msgspec.UNSET,
        thread_id=THREAD_ID.public(message.thread_id),
        message=MessageView(
            id=MESSAGE_ID.public(message.id),
            rfc_message_id=message.rfc_message_id,
            from_=message.from_.email if message.from_ else "",
            to=inbox.address if inbox else "",
            cc=[one.email for one in message.cc],
            subject=message.subject,
            # a text too long for the snapshot still shows its reply part or its beginning
            body_text=message.text or message.extracted_text or message.preview,
            attachments=attachment_views(message.attachments, message.id, public_url),
            received_at=iso_of(message.timestamp),
            trust=trust_view(message),
            **classify(message, message.labels, inbox.address if inbox else "")._asdict(),
        ),
    )


def _merged(event: Event, facts: ThreadMergedFacts, attempt: Try, _public_url: str) -> EventView:
    return EventView(
        event=event.type,
        event_id=event.public_id,
        occurred_at=iso_of(event.created_at),
        delivered_at=iso_of(attempt.at),
        attempt=attempt.number,
        inbox_id=INBOX_ID.public(facts.inbox_id),
        inbox_address=facts.inbox_address,
        thread_id=THREAD_ID.public(facts.thread_id),
        merged_thread_id=THREAD_ID.public(facts.merged_thread_id),
    )


def _review(event: Event, facts: ReviewFacts, attempt: Try, _public_url: str) -> EventView:
    ref = facts.message_ref
    return EventView(
        event=event.type,
        event_id=event.public_id,
        occurred_at=iso_of(facts.timestamp),
        delivered_at=iso_of(attempt.at),
        attempt=attempt.number,
        inbox_id=INBOX_ID.public(ref.inbox_id),
        inbox_address=ref.inbox_address,
        thread_id=THREAD_ID.public(ref.thread_id),
        message_id=MESSAGE_ID.public(ref.message_id),
        review_id=REVIEW_ID.public(facts.review_id),
        reasons=facts.reasons,
        decided_by=facts.decided_by,
        reason=facts.reason,
        expires_at=iso_of(facts.expires_at),
        edited=bool(facts.edited),
    )


def _tripped(event: Event, facts: GuardTrippedFacts, attempt: Try, _public_url: str) -> EventView:
    return EventView(
        event=event.type,
        event_id=event.public_id,
        occurred_at=iso_of(event.created_at),
        delivered_at=iso_of(attempt.at),
        attempt=attempt.number,
        inbox_id=INBOX_ID.public(facts.inbox_id),
        inbox_address=facts.inbox_address,
        thread_id=THREAD_ID.public(facts.thread_id),
        message_id=MESSAGE_ID.public(facts.message_id),
        recipients=facts.recipients,
        rounds=facts.rounds,
        held_until=iso_of(facts.held_until),
    )


def _risky(event: Event, facts: RiskyFacts, attempt: Try, _public_url: str) -> EventView:
    ref = facts.message_ref
    return EventView(
        event=event.type,
        event_id=event.public_id,
        occurred_at=iso_of(facts.timestamp),
        delivered_at=iso_of(attempt.at),
        attempt=attempt.number,
        inbox_id=INBOX_ID.public(ref.inbox_id),
        inbox_address=ref.inbox_address,
        thread_id=THREAD_ID.public(ref.thread_id),
        message_id=MESSAGE_ID.public(ref.message_id),
        reasons=facts.reasons,
    )


def _suspension(event: Event, facts: SuspensionFacts, _attempt: Try, _public_url: str) -> EventView:
    inbox = facts.inbox
    return EventView(
        event=event.type,
        event_id=event.public_id,
        occurred_at=iso_of(event.created_at),
        inbox_id=INBOX_ID.public(inbox.id) if inbox else None,
        inbox_address=inbox.address if inbox else None,
        pod_id=POD_ID.public(facts.pod_id),
        reason=facts.reason,
    )


RENDERERS: Mapping[str, Callable[[Event, Any, Try, str], EventView]] = {
    "message.received": _received,
    **dict.fromkeys(_REVIEWS, _review),
    "message.risky": _risky,
    "thread.merged": _merged,
    "guard.tripped": _tripped,
    "inbox.suspended": _suspension,
    "inbox.reactivated": _suspension,
    "pod.suspended": _suspension,
    "pod.reactivated": _suspension,
}
"""What shows each type that OpenMail has."""
