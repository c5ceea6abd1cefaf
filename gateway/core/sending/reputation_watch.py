"""The engine that suspends inboxes whose mail bounces or is complained about too often (settings ``reputation``).

It follows the event log: each bounce or complaint has its inbox looked at anew. At the start every inbox that had one
in the period is looked at, so nothing is missed while nothing ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial

from gateway.core.context import Core
from gateway.core.sending.reputation import change_inbox, rates_of
from gateway.records.ids import InboxId, now_us
from gateway.store.engine import StoreDown
from gateway.store.queries.events import unscoped_inboxes_with_events, unscoped_newest_seq
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.transaction import Tx
from gateway.store.wake_event import WakeEvent

log = logging.getLogger("postern.reputation")

_TYPES = ("message.bounced", "message.complained")
_DAY_US = 86_400_000_000
_OVERLAP = 256  # PostgreSQL can commit a lower seq after a higher one
_PAUSE = 60.0


class ReputationWatch:
    """Does nothing unless a rate is set."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking."""
        settings = self._core.settings.reputation
        if settings.bounce_rate or settings.complaint_rate:
            self._task = asyncio.create_task(self._run(), name="reputation-watch")

    async def stop(self) -> None:
        """Stop; what was not checked is checked after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        wake, seen = WakeEvent(), None
        stop_listening = self._core.events.listen(wake.set)
        try:
            while True:
                try:
                    mine = self._core.leases.holds(("reputation", 0))
                    seen = await self._look(seen) if mine else None
                except StoreDown as error:
                    log.warning("looking after reputations waits for the database: %s", error)
                except Exception:
                    log.exception("looking after reputations failed; it is tried again")
                await wake.wait(_PAUSE)
        finally:
            stop_listening()

    async def _look(self, seen: int | None) -> int:
        """Judge the inboxes with news above ``seen`` (an event's seq; None: of the whole period)."""
        top, inboxes = await self._core.store.read(partial(self._news, seen=seen))
        for inbox_id in inboxes:
            await self._core.store.write(partial(self._judge, inbox_id=inbox_id))
        return top

    def _news(self, tx: Tx, seen: int | None) -> tuple[int, list[InboxId]]:
        top = unscoped_newest_seq(tx)
        if seen is not None:
            return top, unscoped_inboxes_with_events(tx, _TYPES, after=min(seen, top) - _OVERLAP)
        since = now_us() - int(self._core.settings.reputation.days * _DAY_US)
        return top, unscoped_inboxes_with_events(tx, _TYPES, since=since)

    def _judge(self, tx: Tx, inbox_id: InboxId) -> None:
        inbox = unscoped_inbox(tx, inbox_id)
        if inbox is None or inbox.status == "deleting":
            return
        settings = self._core.settings.reputation
        rates = rates_of(tx, inbox, settings)
        reason = rates.too_high(settings)
        if reason is not None and change_inbox(tx, self._core, inbox, reason):
            log.warning(
                "inbox %s (%s) is suspended: %d of %d recipients bounced, %d of %d messages were complained about",
                *(
                    inbox.public_id,
                    inbox.address,
                    rates.bounced,
                    rates.sent,
                    rates.complained,
                    rates.messages,
                ),
            )
