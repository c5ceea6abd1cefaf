"""The events about the review of a held message."""

from __future__ import annotations

from typing import Literal

from gateway.events.log import EventLog
from gateway.events.payload import message_ref
from gateway.records.event_types import ReviewFacts
from gateway.records.inboxes import Inbox
from gateway.records.reviews import Review
from gateway.store.transaction import Tx

ReviewEvent = Literal["message.held", "message.approved", "review.rejected", "review.expired"]


def announce(tx: Tx, events: EventLog, inbox: Inbox, review: Review, type: ReviewEvent) -> None:
    """Append an event about a review as it is now; nothing when its message is gone from the index."""
    ref = message_ref(tx, inbox, review.message_id)
    if ref is None:
        return
    at = review.decided_at or review.created_at
    facts = ReviewFacts(
        message_ref=ref,
        timestamp=at,
        review_id=review.id,
        reasons=review.reasons,
        decided_by=review.decided_by,
        reason=review.reason,
        expires_at=review.expires_at,
        edited=int(bool(review.edits)),
    )
    events.append(
        tx,
        type,
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        message_id=review.message_id,
        subject=review.id,
        payload=facts,
        at=at,
    )
