"""What was tried to post to a webhook, as ``gateway.events.delivery_outcome`` wrote it down."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.records.events import Event
from gateway.records.ids import WebhookId
from gateway.records.webhooks import Attempt, Delivery, DeliveryState
from gateway.store.listing import Listing, Window
from gateway.store.queries.deliveries import BEHIND, delivery, latest_attempt, list_attempts
from gateway.store.queries.events import unscoped_event, unscoped_event_type
from gateway.store.transaction import Tx

PAYLOADS = 16_000_000
"""Characters of payloads that one list shows: a hundred tries of mails of a megabyte are too many to hold."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt and what came of its event.

    ``event_type``, ``state`` (of its delivery) and ``event`` are None once they are kept no more, ``event`` also where
    no payloads were asked for. ``retry_at`` (µs): on the latest of a delivery that is tried again.
    """

    attempt: Attempt
    event_type: str | None
    state: DeliveryState | None
    retry_at: int | None
    event: Event | None


def attempts_of(tx: Tx, webhook_id: WebhookId, window: Window, *, payloads: bool = False) -> Listing[Tried]:
    """The tries of a webhook (ULID), newest first.

    ``payloads``: each with its event too, the first and as many more as come to ``PAYLOADS``.
    """
    listing, left, rows = list_attempts(tx, webhook_id, window), PAYLOADS, list[Tried]()
    for one in listing.rows:
        tried = with_outcome(tx, one, payloads=payloads and left > 0)
        if tried.event is not None:
            left -= len(tried.event.payload_json)
        rows.append(tried)
    return Listing(rows, listing.total, listing.next)


def with_outcome(tx: Tx, attempt: Attempt, *, payloads: bool) -> Tried:
    """An attempt and what came of its event. ``payloads``: with the event itself."""
    event = unscoped_event(tx, attempt.event_id) if payloads else None
    event_type = event.type if event else None if payloads else unscoped_event_type(tx, attempt.event_id)
    held = delivery(tx, attempt.delivery_id)
    state = held.state if held else None
    return Tried(attempt, event_type, state, _retry_at(tx, attempt, held), event)


def _retry_at(tx: Tx, attempt: Attempt, held: Delivery | None) -> int | None:
    if held is None or held.state != "pending" or held.next_at >= BEHIND:
        return None
    latest = latest_attempt(tx, held.id)
    return max(held.next_at, attempt.created_at) if latest == attempt.id else None
