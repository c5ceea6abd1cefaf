"""Which events a key gets, by its reach and permissions; a sandbox key gets events of test sends only."""

from __future__ import annotations

from gateway.core.errors import NotFound
from gateway.events.reach import permissions_of
from gateway.records.events import EventHead
from gateway.records.ids import EVENT_ID
from gateway.store.queries.events import event_head
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


def may_hear(scope: Scope, event: EventHead) -> bool:
    """Whether an event is inside the key's reach and permissions."""
    if event.organization_id != scope.organization:
        return False
    if scope.test and not event.test:  # what is live is for live keys: a sandbox socket must not take it
        return False
    if (scope.pod and event.pod_id != scope.pod) or (scope.inbox and event.inbox_id != scope.inbox):
        return False
    return scope.permissions is None or all(scope.allows(one) for one in permissions_of(event.type))


def position_of(tx: Tx, scope: Scope, event_ref: str) -> int:
    """The place of an event (``evt_…``) in the log. Raises NotFound for one that the key may not get."""
    event = event_head(tx, scope, EVENT_ID.parse(event_ref))
    if event is None or not may_hear(scope, event):
        raise NotFound(
            "last_event_id names no event that is kept: subscribe without it, and list what was missed",
            field="last_event_id",
        )
    return event.seq
