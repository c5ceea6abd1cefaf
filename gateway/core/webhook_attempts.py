"""What was tried to post to a webhook, as ``gateway.events.settle`` wrote it down."""

from __future__ import annotations

from gateway.core.listing import Listing, Window
from gateway.core.paged import page_of
from gateway.store.engine import Tx


def attempts_of(tx: Tx, webhook_id: str, window: Window) -> Listing:
    """The tries of a webhook (ULID), newest first, each with its event's id and type and its delivery's state."""
    listing = page_of(tx, "attempt", "webhook_id = ?", [webhook_id], window)
    for one in listing.rows:
        event = tx.row(
            "SELECT event.id AS event_id, event.type AS event_type, delivery.state FROM delivery "
            "JOIN event ON event.seq = delivery.event_seq WHERE delivery.id = ?",
            one["delivery_id"],
        )
        one.update(event or {"event_id": None, "event_type": None, "state": None})
    return listing
