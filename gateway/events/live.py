"""Fanning new events out to open sockets.

One reader follows the log for all of them: it wakes with the log's bell, reads what is new once, and hands each
event to the subscribers whose filter wants it. A subscriber whose queue is full has fallen behind and is cut:
it reads what it missed from the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gateway.events.log import OPT_IN, EventLog
from gateway.store.bell import Bell
from gateway.store.engine import Row, Store, StoreDown, Tx

log = logging.getLogger("postern.live")

_BATCH = 500
MAX_WAITING = 1000
MAX_WAITING_BYTES = 8 * 1024 * 1024


class Subscriber:
    """One open socket. ``wants`` judges an event row; ``overrun`` is set when it fell behind."""

    def __init__(self, wants: Callable[[Row], bool]) -> None:
        self.wants = wants
        self.queue: asyncio.Queue[Row] = asyncio.Queue(MAX_WAITING)
        self.overrun = asyncio.Event()
        self._waiting = 0

    def offer(self, row: Row) -> None:
        """Hand over an event, or note that the subscriber is too slow."""
        size = len(row["payload_json"])
        if self._waiting + size > MAX_WAITING_BYTES or self.queue.full():
            self.overrun.set()
            return
        self._waiting += size
        self.queue.put_nowait(row)

    async def next(self) -> Row:
        """The next event."""
        row = await self.queue.get()
        self._waiting -= len(row["payload_json"])
        return row


class LiveEvents:
    """Follows the log while anyone listens."""

    def __init__(self, store: Store, events: EventLog) -> None:
        self._store, self._events = store, events
        self._subscribers: set[Subscriber] = set()
        self._job: asyncio.Task[None] | None = None

    async def add(self, subscriber: Subscriber) -> None:
        """Start listening; events committed after this call returns are heard."""
        if self._job is None or self._job.done():
            seq = await self._store.read(lambda tx: int(tx.value("SELECT max(seq) FROM event") or 0))
            if self._job is None or self._job.done():
                self._job = asyncio.create_task(self._follow(seq), name="live-events")
        self._subscribers.add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Stop listening; with the last one the reader ends."""
        self._subscribers.discard(subscriber)
        if not self._subscribers and self._job is not None:
            self._job.cancel()
            self._job = None

    async def _follow(self, seq: int) -> None:
        bell = Bell()
        unlisten = self._events.listen(bell.ring)
        try:
            while True:
                try:
                    rows = await self._store.read(lambda tx, since=seq: _since(tx, since))  # type: ignore[misc]
                except StoreDown as error:
                    log.warning("live events wait for the database: %s", error)
                    rows = []
                for row in rows:
                    seq = row["seq"]
                    for one in list(self._subscribers):
                        if one.wants(row):
                            one.offer(row)
                if len(rows) < _BATCH:
                    await bell.wait(1.0)  # another process's events ring no bell here
        finally:
            unlisten()


def _since(tx: Tx, seq: int) -> list[Row]:
    return tx.rows("SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?", seq, _BATCH)


def opt_in(kind: str) -> bool:
    """Whether an event type is heard only by those who name it."""
    return kind in OPT_IN
