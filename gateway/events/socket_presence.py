"""Whether an event was sent on an open socket, of this process or of another.

A dialect that prefers its sockets to its webhooks asks this before the first post of an event. Every process that
serves the API is asked at once; each answers for its own sockets, after waiting for one that is about to send it. One
that does not answer has none, as far as the webhook is concerned: an event sent twice has one id.
"""

from __future__ import annotations

import asyncio
import logging

from gateway.events.live import PATIENCE, LiveEvents
from gateway.records.events import EventHead
from gateway.records.ids import EVENT_ID, EventId
from gateway.store.engine import Store, StoreDown
from gateway.store.leases import Leases
from gateway.store.queries.events import unscoped_event_head
from gateway.store.wakeups import Wakeups

log = logging.getLogger("postern.live")

_SLACK = 2.0


class SocketPresence:
    """``LiveEvents.was_sent`` of all processes together."""

    def __init__(self, live: LiveEvents, store: Store, leases: Leases, wakeups: Wakeups) -> None:
        self._live, self._store, self._leases, self._wakeups = live, store, leases, wakeups
        wakeups.answer("sent", self._answer)

    async def was_sent(self, dialect: str, event: EventHead) -> bool:
        """As ``LiveEvents.was_sent``."""
        here = asyncio.ensure_future(self._live.was_sent(dialect, event))
        there = asyncio.ensure_future(self._elsewhere(dialect, event))
        try:
            for one in asyncio.as_completed((here, there)):
                if await one:
                    return True
            return False
        finally:
            here.cancel()
            there.cancel()

    async def _elsewhere(self, dialect: str, event: EventHead) -> bool:
        others = self._leases.others("api")
        if not others:
            return False
        return any(await self._wakeups.ask("sent", f"{dialect} {event.id}", others, PATIENCE + _SLACK))

    async def _answer(self, text: str) -> str:
        dialect, _, ulid = text.partition(" ")
        event_id = EventId(ulid)
        if not self._live.listens(dialect):
            return ""
        try:
            event = await self._store.read(lambda tx: unscoped_event_head(tx, event_id))
        except StoreDown as error:  # who asks posts the event then
            log.warning(
                "whether a socket was sent event %s is not known: %s", EVENT_ID.public(event_id), error
            )
            return ""
        return "sent" if event and await self._live.was_sent(dialect, event) else ""
