"""Whether a message was held for a person's decision, and what was decided: from the reviews."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.history.entry import Entry, Kind, Subject
from gateway.records.reviews import Review
from gateway.store.queries.reviews import review_of_message
from gateway.store.transaction import Tx

_KINDS: dict[str, Kind] = {
    "approved": "approved",
    "rejected": "review_rejected",
    "expired": "review_expired",
}


def reviews(tx: Tx, subject: Subject) -> Iterator[Entry]:
    """That it was held and why, and the decision with who made it."""
    review = review_of_message(tx, subject.inbox.id, subject.mail.message.id)
    if review is None:
        return
    why = ", ".join(review.reasons)
    yield Entry(
        at=review.created_at,
        kind="held",
        text=f"held until a person approves it: {why}" if why else "held until a person approves it",
        review_id=review.id,
        reasons=review.reasons or None,
    )
    kind = _KINDS.get(review.state)
    if kind is not None:
        yield Entry(
            at=review.decided_at or review.updated_at,
            kind=kind,
            text=_decision(review),
            review_id=review.id,
            decided_by=review.decided_by,
            reason=review.reason,
        )


def _decision(review: Review) -> str:
    if review.state == "expired":
        return "nobody decided in time: it is not sent"
    by = f" by {review.decided_by}" if review.decided_by else ""
    if review.state == "approved":
        return f"approved{by}"
    return f"rejected{by}: {review.reason}" if review.reason else f"rejected{by}"
