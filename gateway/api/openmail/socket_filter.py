"""Which events a client of ``/v1/ws`` gets: one filter, to which each subscribe adds (contract §9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from gateway.api.openmail.events_view import ON_SOCKETS
from gateway.api.openmail.socket_protocol import Subscribe
from gateway.core.errors import Invalid, NotFound
from gateway.core.lookup import find_inbox, require
from gateway.core.webhooks.single_webhook import EVENT_TYPES
from gateway.events.reach import permissions_of
from gateway.records.event_types import OPT_IN
from gateway.records.events import EventHead
from gateway.records.ids import INBOX_ID, InboxId
from gateway.store.queries.inboxes import inbox_ids_in_reach
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Filter:
    """``inboxes`` (ULIDs), or with ``everywhere`` all but those ``left_out``; of ``types``, or with None of any; opt-in
    types are heard where they are ``named``."""

    everywhere: bool = False
    inboxes: frozenset[InboxId] = frozenset()
    left_out: frozenset[str] = frozenset()
    types: frozenset[str] | None = None
    named: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        return not self.everywhere and not self.inboxes

    def wants(self, event: EventHead) -> bool:
        """Whether an event is asked for."""
        kind, inbox = event.type, event.inbox_id
        asked = kind in self.named if kind in OPT_IN else self.types is None or kind in self.types
        if kind not in ON_SOCKETS or not asked:
            return False
        return inbox not in self.left_out if self.everywhere else inbox in self.inboxes

    def plus(self, more: Filter) -> Filter:
        """Both together: "all" swallows names."""
        if self.nothing or more.nothing:
            return more if self.nothing else self
        return Filter(
            everywhere=self.everywhere or more.everywhere,
            inboxes=self.inboxes | more.inboxes,
            left_out=(self.left_out - more.inboxes) if not more.everywhere else more.left_out,
            types=None if self.types is None or more.types is None else self.types | more.types,
            named=self.named | more.named,
        )

    def minus(self, inboxes: frozenset[InboxId]) -> Filter:
        """Without these inboxes; without anything when there are none."""
        left = Filter(
            everywhere=self.everywhere,
            inboxes=self.inboxes - inboxes,
            left_out=self.left_out | inboxes if self.everywhere else frozenset(),
            types=self.types,
            named=self.named,
        )
        return left if inboxes and not left.nothing else Filter()

    def shown(self) -> tuple[list[str], list[str]]:
        """Inbox ids and event types as the client is shown them; empty means all."""
        inboxes = [] if self.everywhere else [INBOX_ID.public(one) for one in sorted(self.inboxes)]
        return inboxes, sorted(self.types or ())


def asked(tx: Tx, scope: Scope, frame: Subscribe) -> Filter:
    """What a frame asks for. Raises NotFound or Forbidden for an inbox outside the key's reach, Invalid.

    An account's key gets events of inboxes made later too; of a pod's key "all" is the pod's inboxes as they are now.
    """
    for kind in ON_SOCKETS:
        for permission in permissions_of(kind):
            require(scope, permission)
    types = _types(frame)
    filter = partial(Filter, types=types, named=(types or frozenset()) & OPT_IN)
    if frame.inbox_ids:
        return filter(inboxes=frozenset(find_inbox(tx, scope, ref).id for ref in frame.inbox_ids))
    if scope.kind == "organization":
        return filter(everywhere=True)
    reach = frozenset(inbox_ids_in_reach(tx, scope))
    if not reach:
        raise NotFound("the pod of this key has no inbox yet", fix="subscribe again when it has one")
    return filter(inboxes=reach)


def named(tx: Tx, scope: Scope, current: Filter, refs: list[str] | None) -> frozenset[InboxId]:
    """The inboxes to take off; one that is subscribed to is known though it was deleted. Raises NotFound, Forbidden."""
    found = (INBOX_ID.parse(ref) for ref in refs or ())
    return frozenset(
        known if known in current.inboxes else find_inbox(tx, scope, ref).id
        for known, ref in zip(found, refs or (), strict=True)
    )


def _types(frame: Subscribe) -> frozenset[str] | None:
    """The event types named; None is any. A list none of whose names exists would be deaf for ever: Invalid."""
    if not frame.event_types:
        return None
    types = frozenset(EVENT_TYPES).intersection(frame.event_types)
    if not types:
        raise Invalid(
            f"there is no event type {frame.event_types[0][:100]!r}",
            field="event_types",
            fix=f"a WebSocket tells {', '.join(sorted(ON_SOCKETS))}",
        )
    return types
