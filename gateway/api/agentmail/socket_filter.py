"""The subscriptions of a WebSocket, resolved to ids of the organization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.webhooks.webhooks import MAX_IDS, check_types
from gateway.events.reach import permissions_of
from gateway.records.event_types import OPT_IN
from gateway.records.events import EventHead
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_Refs = Annotated[list[Annotated[str, msgspec.Meta(max_length=320)]], msgspec.Meta(max_length=MAX_IDS)]


class Subscribe(msgspec.Struct):
    """A client's frame; each adds a subscription. ``last_event_id`` (Postern's own): first send later events."""

    type: Literal["subscribe"]
    event_types: Annotated[list[str], msgspec.Meta(max_length=100)] | None = None
    inbox_ids: _Refs | None = None
    pod_ids: _Refs | None = None
    last_event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. Empty ``types``: all but the opt-in ones; no ``inboxes`` and ``pods``: all of the key."""

    types: frozenset[str]
    inboxes: frozenset[str]
    pods: frozenset[str]

    def wants(self, event: EventHead) -> bool:
        """Whether the subscription includes an event."""
        kind = event.type
        if kind not in self.types if self.types else kind in OPT_IN:
            return False
        if not self.inboxes and not self.pods:
            return True
        return event.inbox_id in self.inboxes or event.pod_id in self.pods


def resolve(tx: Tx, scope: Scope, frame: Subscribe) -> Subscription:
    """Resolve a frame: inboxes by id or address, pods by id. Raises Invalid, NotFound, Forbidden."""
    named = frame.event_types or []
    check_types(named)
    for kind in named or ["message.received"]:
        for permission in permissions_of(kind):
            require(scope, permission)
    return Subscription(
        frozenset(named),
        frozenset(find_inbox(tx, scope, ref).id for ref in frame.inbox_ids or ()),
        frozenset(find_pod(tx, scope, ref).id for ref in frame.pod_ids or ()),
    )
