"""Events as MailboxKit's webhooks post them (contract, "Webhooks"). They are rendered from the event's stored facts
alone, so every attempt, and the list of attempts, has the same octets.

``message.sent`` is sent when a mail server accepted the message, and has the message's texts. The events after it are
about a recipient and leave the texts out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Unpack

import msgspec

from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.message_event import Outcome, sent_message_view
from gateway.api.mailboxkit.message_view import MessageView, facts_view
from gateway.api.mailboxkit.resource_views import InboxView, inbox_view
from gateway.api.times import to_seconds
from gateway.records.event_types import (
    BouncedFacts,
    ComplainedFacts,
    DelayedFacts,
    DeliveredFacts,
    GuardTrippedFacts,
    InboxFacts,
    OutboundFacts,
    ReceivedFacts,
    RejectedFacts,
    ReviewFacts,
    RiskyFacts,
    SentFacts,
    ThreadMergedFacts,
    WebhookTestFacts,
    facts_of,
    types_of,
)
from gateway.records.events import Event
from gateway.records.ids import REVIEW_ID, number_of

EVENTS = types_of("mailboxkit")
"""MailboxKit's event types. There is no event for filtered mail (spam, blocked)."""


class MergeView(msgspec.Struct):
    """Two threads that a message joined. ``thread_id`` goes on; ``merged_thread_id`` leads there."""

    id: int
    thread_id: int
    merged_thread_id: int
    created_at: str


class GuardView(msgspec.Struct):
    """A message that is held back until ``held_until``, after ``rounds`` automatic rounds with its recipients."""

    id: int
    thread_id: int
    recipients: list[str]
    rounds: int
    held_until: str
    created_at: str


_Shown = tuple[int, MessageView | InboxView | MergeView | GuardView]


class EventView(msgspec.Struct):
    """An event as it is posted."""

    event: str
    timestamp: str
    inbox_id: int
    # msgspec has no schema for a union of structs
    data: Annotated[
        Any, msgspec.Meta(description="the message or the inbox, as the API shows it, or the threads")
    ]


def render(event: Event, links: FileLinks) -> EventView | None:
    """Render an event; None for a type that MailboxKit does not have."""
    show = RENDERERS.get(event.type)
    if show is None:
        return None
    inbox_id, data = show(event, facts_of(event), links)
    return EventView(event.type, to_seconds(event.created_at), inbox_id, data)


def _received(_event: Event, facts: ReceivedFacts, links: FileLinks) -> _Shown:
    message = facts.message
    return number_of(message.inbox_id), facts_view(message, links)


def _sent(_event: Event, facts: SentFacts, links: FileLinks) -> _Shown:
    texts = facts.texts
    return _outcome(facts, links, texts=texts, status="sent", recipients=facts.recipients)


def _delivered(_event: Event, facts: DeliveredFacts, links: FileLinks) -> _Shown:
    return _outcome(facts, links, status="delivered", recipients=facts.recipients)


def _delayed(_event: Event, facts: DelayedFacts, links: FileLinks) -> _Shown:
    people, reason = _failed_recipients(facts)
    return _outcome(facts, links, recipients=people, reason=reason)


def _bounced(_event: Event, facts: BouncedFacts, links: FileLinks) -> _Shown:
    people, reason = _failed_recipients(facts)
    return _outcome(facts, links, status="bounced", recipients=people, bounce_type=facts.type, reason=reason)


def _failed_recipients(facts: BouncedFacts | DelayedFacts) -> tuple[list[str], str]:
    """The recipients that an event is about, and the reason."""
    codes = ", ".join(one.status for one in facts.recipients)
    return [one.address for one in facts.recipients], f"{facts.sub_type} ({codes})"


def _opened(_event: Event, facts: OutboundFacts, links: FileLinks) -> _Shown:
    return _outcome(facts, links)


def _complained(_event: Event, facts: ComplainedFacts, links: FileLinks) -> _Shown:
    return _outcome(facts, links, status="complained", recipients=facts.recipients, reason=facts.type)


def _rejected(_event: Event, facts: RejectedFacts, links: FileLinks) -> _Shown:
    return _outcome(facts, links, status="rejected", reason=facts.reason)


def _review(_event: Event, facts: ReviewFacts, links: FileLinks) -> _Shown:
    outcome: Outcome = {
        "review_id": REVIEW_ID.public(facts.review_id),
        "held_for": facts.reasons,
        "edited": bool(facts.edited),
    }
    if facts.decided_by is not None:
        outcome["decided_by"] = facts.decided_by
    if facts.reason is not None:
        outcome["reason"] = facts.reason
    return _outcome(facts, links, **outcome)


def _risky(_event: Event, facts: RiskyFacts, links: FileLinks) -> _Shown:
    return _outcome(facts, links, risks=facts.reasons)


def _outcome(facts: OutboundFacts, links: FileLinks, **outcome: Unpack[Outcome]) -> _Shown:
    return number_of(facts.message_ref.inbox_id), sent_message_view(facts.message_ref, links, **outcome)


def _merged(_event: Event, facts: ThreadMergedFacts, _links: FileLinks) -> _Shown:
    return number_of(facts.inbox_id), MergeView(
        id=number_of(facts.message_id),
        thread_id=number_of(facts.thread_id),
        merged_thread_id=number_of(facts.merged_thread_id),
        created_at=to_seconds(facts.timestamp),
    )


def _tripped(_event: Event, facts: GuardTrippedFacts, _links: FileLinks) -> _Shown:
    return number_of(facts.inbox_id), GuardView(
        id=number_of(facts.message_id),
        thread_id=number_of(facts.thread_id),
        recipients=facts.recipients,
        rounds=facts.rounds,
        held_until=to_seconds(facts.held_until),
        created_at=to_seconds(facts.timestamp),
    )


def _inbox(_event: Event, facts: InboxFacts, _links: FileLinks) -> _Shown:
    return number_of(facts.inbox.id), inbox_view(facts.inbox)


def _test(event: Event, _facts: WebhookTestFacts, _links: FileLinks) -> _Shown:
    return 0, _sample(to_seconds(event.created_at))


RENDERERS: Mapping[str, Callable[[Event, Any, FileLinks], _Shown]] = {
    "message.received": _received,
    "message.sent": _sent,
    "message.delivered": _delivered,
    "message.delayed": _delayed,
    "message.bounced": _bounced,
    "message.opened": _opened,
    "message.complained": _complained,
    "message.rejected": _rejected,
    "message.held": _review,
    "message.approved": _review,
    "review.rejected": _review,
    "review.expired": _review,
    "message.risky": _risky,
    "thread.merged": _merged,
    "guard.tripped": _tripped,
    "inbox.created": _inbox,
    "inbox.deleted": _inbox,
    "webhook.test": _test,
}
"""The renderer of each event type: returns the inbox's id and the data."""


def _sample(at: str) -> MessageView:
    """The message of a test event; its ids are 0."""
    return MessageView(
        id=0,
        ulid="0" * 26,
        inbox_id=0,
        message_id="<test@example.com>",
        from_email="sender@example.com",
        from_name="Test Sender",
        to_emails=["inbox@example.com"],
        cc_emails=[],
        subject="Test of your webhook",
        text_body="This is a test. No mail was received.",
        html_body="<p>This is a test. No mail was received.</p>",
        extracted_text="This is a test. No mail was received.",
        status="received",
        thread_id=0,
        attachments=[],
        test=True,
        created_at=at,
    )
