"""What waits for delivery: rows in lanes, each lane with one head.

A *lane* keeps the order of one webhook and one inbox. Its oldest pending row is the head and holds the time of
the next try; the rows behind it bear ``BEHIND`` until the head is settled and the next one is promoted. So a lane
waits with its head without a write to any other row, nothing behind can overtake, and what is due is a range of
an index however long the lanes are. A dialect that promises no order has a lane for each event.

A head is passed over only by proof: its endpoint refused it again and took the next of its lane right after. It
moves into a lane of its own then. While an endpoint takes nothing, its lanes wait as they are; when it takes something
again, or something new comes, their heads are tried early (``hasten``, ``enqueue``), which counts as no try.

What comes for a webhook that the gateway switched off waits behind, without a head, until it is switched on again
(``resume_pending``), as long as events are kept and up to a number (``unscoped_drop_surplus``). The statements are in
``store.queries.deliveries``.
"""

from __future__ import annotations

from gateway.records.ids import InboxId, OrganizationId, WebhookId, now_us
from gateway.store.queries.deliveries import (
    Pending,
    add_delivery,
    deliveries_of_event,
    hasten_lane,
    hasten_webhook,
    head_of_lane,
    lane_waits,
    move_to_lane,
    promote_head,
    remove_delivery,
)
from gateway.store.transaction import Tx

_EARLY_AFTER = 60_000_000
"""µs since a head's last try, before it may be tried early; times the setting ``webhooks.retry_scale``."""

UNORDERED = frozenset({"openmail", "mailboxkit"})
"""Dialects whose events go each for itself (OpenMail: "at least once, unordered"; MailboxKit promises no order)."""


def in_order(tx: Tx, organization_id: OrganizationId, inbox_id: InboxId | None) -> None:
    """Whoever adds to the events of an inbox, or to its lanes, or takes from them, does so one after another: what is
    committed first is first."""
    tx.lock(f"events/{inbox_id or organization_id}")


def enqueue(
    tx: Tx, seq: int, webhook_id: WebhookId, dialect: str, inbox_id: InboxId | None, scale: float = 1.0
) -> None:
    """Queue one event for one webhook, behind what its lane holds. A replay calls this again. After ``in_order``.

    A head that waits for its time and was not tried for a minute (times ``scale``) is tried now.
    """
    lane = f"{webhook_id}/{inbox_id or ''}"
    if dialect in UNORDERED:
        lane = f"{lane}#{seq}"
    now, waits = now_us(), lane_waits(tx, lane)
    add_delivery(tx, seq, webhook_id, inbox_id, lane, behind=waits, at=now)
    if waits:
        hasten_lane(tx, lane, now - int(_EARLY_AFTER * scale))


def hasten(tx: Tx, webhook_id: WebhookId, scale: float = 1.0) -> None:
    """Have each head of a webhook that waits for its time tried now: the endpoint takes posts again. Those that were
    tried within a minute (times ``scale``) keep their time."""
    hasten_webhook(tx, webhook_id, now_us() - int(_EARLY_AFTER * scale))


def withdraw(tx: Tx, seq: int, webhook_id: WebhookId) -> None:
    """Forget an event's delivery to a webhook, whatever its state; its lane goes on. After ``in_order``."""
    for one in deliveries_of_event(tx, seq, webhook_id):
        remove_delivery(tx, one.id)
        promote_head(tx, one.lane)


def set_aside(tx: Tx, head: Pending) -> None:
    """Give a head a lane of its own, so that those behind it go on without it; it is tried early, at once."""
    lane = head.delivery.lane
    if not alone(lane):
        move_to_lane(tx, head.delivery.id, f"{lane}#{head.delivery.id}")
        promote_head(tx, lane)


def alone(lane: str) -> bool:
    """Whether a lane holds one delivery only, by its name."""
    return "#" in lane


def due_head(tx: Tx, lane: str, now: int) -> Pending | None:
    """A lane's head, if its time has come and its webhook is enabled."""
    head = head_of_lane(tx, lane)
    return head if head and head.webhook.enabled and head.delivery.next_at <= now else None
