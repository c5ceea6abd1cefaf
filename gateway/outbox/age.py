"""How long the outbox is behind: what /ready and /metrics say."""

from __future__ import annotations

from gateway.records.ids import now_us
from gateway.store.engine import Store, StoreDown
from gateway.store.queries.outbox_claims import unscoped_behind_since


async def age(store: Store) -> float:
    """Seconds since the message that is longest due became so, or was taken up if it is on its way; 0 when none is, and
    while the database is away, which others tell. A message that waits for its next try is not due."""
    try:
        since = await store.read(unscoped_behind_since)
    except StoreDown:
        return 0.0
    return max(0.0, (now_us() - since) / 1e6) if since else 0.0
