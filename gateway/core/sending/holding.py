"""Holding a message until a person decides, in the transaction that accepts it.

The message is accepted like any other: with its row, its thread, its labels and its row in the outbox, which is in
state ``held``, so that the outbox never claims it. The decision is in ``core.reviews``.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.context import Core
from gateway.events.reviews import announce
from gateway.records.ids import REVIEW_ID, MessageId, ReviewId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.reviews import Review
from gateway.store.json_columns import dump
from gateway.store.queries.reviews import add_review
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_HOUR_US = 3_600_000_000


def hold(
    tx: Tx,
    core: Core,
    scope: Scope,
    inbox: Inbox,
    message_id: MessageId,
    reasons: Sequence[str],
    digest: str,
) -> ReviewId:
    """Write the review of a message that was just indexed, and its event; answers its id.

    ``reasons``: why it is held. ``digest``: of its envelope and octets (``outbox.digest``).
    """
    now = now_us()
    review = Review(
        id=REVIEW_ID.new(),
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        message_id=message_id,
        direction="outbound",
        reasons_json=dump(list(reasons)),
        digest=digest,
        state="pending",
        asked_by=scope.key_id,
        decided_by=None,
        decided_at=None,
        reason=None,
        expires_at=now + int(core.settings.guard.review_hours * _HOUR_US),
        created_at=now,
        updated_at=now,
    )
    add_review(tx, review)
    announce(tx, core.events, inbox, review, "message.held")
    return review.id
