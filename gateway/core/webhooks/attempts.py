"""What was tried to post to a webhook, as ``gateway.events.delivery_outcome`` wrote it down."""

from __future__ import annotations

from gateway.core.paging import page_of
from gateway.events.delivery_queue import BEHIND
from gateway.store.engine import Row, Tx
from gateway.store.listing import Listing, Window

PAYLOADS = 16_000_000
"""Characters of payloads that one list shows: a hundred tries of mails of a megabyte are too many to hold."""


def attempts_of(tx: Tx, webhook_id: str, window: Window, *, payloads: bool = False) -> Listing[Row]:
    """The tries of a webhook (ULID), newest first, each with ``event_type``, the ``state`` of its delivery, and
    ``retry_at`` (µs) on the latest of a delivery that is tried again.

    ``payloads``: each with its ``event`` row too, the first and as many more as come to ``PAYLOADS``. What is kept no
    more is None.
    """
    listing = page_of(tx, "attempt", "webhook_id = ?", [webhook_id], window)
    left = PAYLOADS
    for one in listing.rows:
        complete(tx, one, payloads=payloads and left > 0)
        if one.get("event"):
            left -= len(one["event"]["payload_json"])
    return listing


def complete(tx: Tx, attempt: Row, *, payloads: bool) -> Row:
    """Give an attempt's row what ``attempts_of`` says of it."""
    columns = "*" if payloads else "type"
    event = tx.row(f"SELECT {columns} FROM event WHERE id = ?", attempt["event_id"])  # noqa: S608
    delivery = tx.row("SELECT id, state, next_at FROM delivery WHERE id = ?", attempt["delivery_id"])
    attempt["event_type"] = event and event["type"]
    attempt["state"] = delivery and delivery["state"]
    attempt["retry_at"] = _retry_at(tx, attempt, delivery)
    attempt["event"] = event if payloads else None
    return attempt


def _retry_at(tx: Tx, attempt: Row, delivery: Row | None) -> int | None:
    if delivery is None or delivery["state"] != "pending" or delivery["next_at"] >= BEHIND:
        return None
    latest = tx.value("SELECT max(id) FROM attempt WHERE delivery_id = ?", delivery["id"])
    return max(delivery["next_at"], attempt["created_at"]) if latest == attempt["id"] else None
