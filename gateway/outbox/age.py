"""How long the outbox is behind: what /ready and /metrics say."""

from __future__ import annotations

from gateway.outbox.queue import LEASE_US
from gateway.store.engine import Store, StoreDown, Tx
from gateway.store.ids import now_us


async def age(store: Store) -> float:
    """Seconds since the message that is longest due became so, or was taken up if it is on its way; 0 when none is, and
    while the database is away, which others tell. A message that waits for its next try is not due."""
    try:
        since = await store.read(_behind_since)
    except StoreDown:
        return 0.0
    return max(0.0, (now_us() - since) / 1e6) if since else 0.0


def _behind_since(tx: Tx) -> int | None:
    now = now_us()
    due = tx.value(
        "SELECT min(next_at) FROM outbox WHERE state = 'queued' AND claimed_until IS NULL AND next_at <= ?",
        now,
    )
    taken = tx.value(
        "SELECT min(updated_at) FROM outbox WHERE state = 'queued' AND claimed_until IS NOT NULL AND next_at <= ?",
        now + 2 * LEASE_US,  # what is claimed has the end of its lease as next_at
    )
    return min((one for one in (due, taken) if one), default=None)
