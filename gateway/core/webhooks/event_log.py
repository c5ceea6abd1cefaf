"""Reading the event log: what happened after a known event, inside the reach of the key."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import find_inbox, require
from gateway.core.webhooks.webhooks import EVENT_TYPES
from gateway.events.reach import permissions_of
from gateway.records.events import Event
from gateway.records.ids import EVENT_ID, INBOX_ID
from gateway.store.listing import Listing
from gateway.store.queries import events as queries
from gateway.store.queries.events import event_head
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


async def list_events(
    core: Core,
    scope: Scope,
    *,
    after: str | None = None,
    limit: int = 20,
    ascending: bool = True,
    types: Sequence[str] = (),
    inbox: str | None = None,
    position: int | None = None,
    offset: int = 0,
) -> Listing[Event]:
    """Events in log order, of the types that the key may read.

    ``types``: empty for all of them. ``after``: an event id; ``position``: an event's ``seq`` (from ``Listing.next``).
    """
    require(scope, "webhook_read")
    types = _readable(scope, types or EVENT_TYPES)

    def read(tx: Tx) -> Listing[Event]:
        within = inbox if inbox is not None else INBOX_ID.public(scope.inbox)
        inbox_id = find_inbox(tx, scope, within).id if within is not None else None
        seq = None
        if after is not None:
            known = event_head(tx, scope, EVENT_ID.parse(after))
            if known is None:
                raise Invalid(
                    "after names no event that is kept",
                    field="after",
                    fix="leave it out to read from the start",
                )
            seq = known.seq
        return queries.list_events(
            tx,
            scope,
            types=types,
            inbox=inbox_id,
            after=seq,
            position=position,
            limit=limit,
            offset=offset,
            ascending=ascending,
        )

    return await core.store.read(read)


def _readable(scope: Scope, types: Sequence[str]) -> list[str]:
    """Those of ``types`` that the key may read. Raises Forbidden when it may read none."""
    found = [kind for kind in types if all(scope.allows(one) for one in permissions_of(kind))]
    if not found:
        for one in permissions_of(types[0]):
            require(scope, one)
    return found
