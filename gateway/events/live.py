"""Fanning new events out to the streams of this process (WebSockets), once for all of them.

One task follows the log while anyone listens: it wakes with the log's wake (and every second, for what other
processes append), reads what is new once, and offers it to every stream of its organization. A stream that falls
behind a bounded queue is cut; its reader resumes from the log, which is the truth.

What is new is known by id, not by ``seq`` alone: each read goes back a little, because PostgreSQL can commit a lower
``seq`` after a higher one, and SQLite gives the highest one out again when its row was deleted.

A dialect may prefer its sockets to its webhooks: ``was_sent`` then keeps a delivery waiting until some socket was
written the event, so that a socket that dies first, or this process, leaves it to the webhook.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from gateway.events.log import EventLog
from gateway.records.events import Event, EventHead
from gateway.records.ids import EventId, OrganizationId
from gateway.store.engine import Store, StoreDown
from gateway.store.json_columns import dump
from gateway.store.queries.events import unscoped_event_heads, unscoped_events, unscoped_newest_seq
from gateway.store.transaction import Tx
from gateway.store.wake_event import WakeEvent

log = logging.getLogger("postern.live")

OVERLAP = 256
"""How far back a read of the log reaches, in rows."""

MAX_WAITING = 1000
"""Events a stream may be behind."""

MAX_WAITING_SIZE = 8 * 1024 * 1024
"""Characters of payload a stream may be behind."""

PATIENCE = 30.0
"""Seconds a webhook waits for a socket that is about to send an event; longer than a socket may take over one."""

_MAX_SENT = 10_000
_BATCH = 1000
_LATE_US = 20_000_000
_POLL = 1.0
_CHUNK = 50

Render = Callable[[Event], object | None]


@dataclass(slots=True)
class Happened:
    """An event on its way to streams; ``since`` (monotonic seconds) is when it was read."""

    event: Event
    since: float = field(default_factory=time.monotonic)
    _texts: dict[str, str | None] = field(default_factory=dict)

    def text(self, dialect: str, render: Render) -> str | None:
        """The event as JSON text, rendered once for all streams of a dialect; None when it has no such event."""
        if dialect not in self._texts:
            value = render(self.event)
            self._texts[dialect] = None if value is None else dump(value)
        return self._texts[dialect]


class Stream:
    """One listener. ``wants`` judges an event of the organization; ``lost`` is set when it must be cut.

    ``held``: events it was offered and has not sent yet. ``replaying``: its socket is reading the log and sends what
    it wants above this ``seq``; None: it is not.
    """

    def __init__(
        self, organization: OrganizationId, wants: Callable[[EventHead], bool], dialect: str = "agentmail"
    ) -> None:
        self.organization = organization
        self.dialect = dialect
        self.wants = wants
        self.lost = asyncio.Event()
        self.held: set[str] = set()
        self.replaying: int | None = None
        self._waiting: deque[Happened] = deque()
        self._size = 0
        self._some = asyncio.Event()

    def offer(self, happened: Happened) -> None:
        """Take an event in, or be lost: what waited is let go."""
        if self.lost.is_set():
            return
        size = len(happened.event.payload_json)
        if len(self._waiting) >= MAX_WAITING or (self._waiting and self._size + size > MAX_WAITING_SIZE):
            self.lose()
            return
        self._waiting.append(happened)
        self._size += size
        self._some.set()

    def lose(self) -> None:
        """Give the stream up; ``next`` answers None."""
        self.lost.set()
        self._waiting.clear()
        self._some.set()

    def may_send(self, event: EventHead) -> bool:
        """Whether an event it was offered, or one of its replay, is still to be sent."""
        if event.id in self.held:
            return True
        return self.replaying is not None and event.seq > self.replaying and self.wants(event)

    def wake(self) -> None:
        """Let ``next`` answer None: its caller has something else to do."""
        self._some.set()

    async def next(self) -> Happened | None:
        """The next event; waits for it, or for ``wake``."""
        if not self._waiting:
            self._some.clear()
            await self._some.wait()
        if not self._waiting:
            return None
        happened = self._waiting.popleft()
        self._size -= len(happened.event.payload_json)
        return happened


class LiveEvents:
    """Follows the log while anyone listens. One for each running gateway; used on the event loop only.

    ``open`` counts the open sockets by organization, for their limit, and the waits for mail (``core.mail.wait``).
    ``closing`` is set when the gateway stops.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.closing = asyncio.Event()
        self._streams: set[Stream] = set()
        self._replaying: set[Stream] = set()
        self._place = _Place([])
        self._sent: dict[tuple[str, str], None] = {}
        self._pulse = asyncio.Event()
        self._job: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def counted(self, counter: str) -> Iterator[None]:
        """Count an open socket of an organization while it is."""
        self.open[counter] += 1
        try:
            yield
        finally:
            self.open[counter] -= 1
            if not self.open[counter]:
                del self.open[counter]
            self.stir()

    async def join(self, stream: Stream, store: Store, events: EventLog) -> None:
        """Start listening: whatever is committed after this call returned reaches the stream. Raises StoreDown."""
        if self._job is None or self._job.done():
            start = await store.read(_start)
            if self._job is None or self._job.done():  # (another may have started it meanwhile)
                self._place = _Place(start)
                self._job = asyncio.create_task(self._run(store, events), name="live-events")
        self._streams.add(stream)

    def replay(self, stream: Stream, position: int | None) -> None:
        """Note that the stream's socket sends what is stored after ``position``; None: no longer."""
        if position is None:
            stream.replaying = None
            self._replaying.discard(stream)
        else:
            stream.replaying = position if stream.replaying is None else min(position, stream.replaying)
            self._replaying.add(stream)
        self.stir()

    def settle(self, stream: Stream, event_id: EventId, *, sent: bool) -> None:
        """Note what became of an event: the stream's client was sent it, or it was passed over."""
        stream.held.discard(event_id)
        if sent:
            self._sent[stream.dialect, event_id] = None
            if len(self._sent) > _MAX_SENT:
                del self._sent[next(iter(self._sent))]
        self.stir()

    def leave(self, stream: Stream) -> None:
        """Stop listening; harmless when it never joined."""
        self._streams.discard(stream)
        self._replaying.discard(stream)
        self.stir()
        if not self._streams and self._job is not None:
            self._job.cancel()
            self._job = None

    def listens(self, dialect: str) -> bool:
        """Whether any socket of a dialect is open."""
        return any(one.dialect == dialect for one in self._streams | self._replaying)

    async def was_sent(self, dialect: str, event: EventHead) -> bool:
        """Whether a socket of ``dialect`` was sent this event; waits while one is still about to be."""
        key = (dialect, event.id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while key not in self._sent and self._may_be_sent(dialect, event):
                    await self._pulse.wait()
        return key in self._sent

    def _may_be_sent(self, dialect: str, event: EventHead) -> bool:
        comes = self._place.is_new(event)
        return any(
            one.may_send(event) or (comes and one in self._streams and one.wants(event))
            for one in self._streams | self._replaying
            if one.dialect == dialect and one.organization == event.organization_id and not one.lost.is_set()
        )

    async def close(self, seconds: float = 3.0) -> None:
        """End every socket, as the gateway stops; answers when they are closed."""
        self.closing.set()
        for one in self._streams:
            one.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.open:
                    await self._pulse.wait()

    def stir(self) -> None:
        """Something changed that others may wait for: a filter, what was sent, who is open."""
        self._pulse.set()
        self._pulse = asyncio.Event()

    async def _run(self, store: Store, events: EventLog) -> None:
        wake = WakeEvent()
        stop_listening = events.listen(wake.set)
        try:
            await self._follow(store, wake, self._place)
        except Exception:
            log.exception("the live stream of events broke; its listeners are cut and can resume")
            for one in self._streams:
                one.lose()
        finally:
            stop_listening()

    async def _follow(self, store: Store, wake: WakeEvent, place: _Place) -> None:
        while True:
            heads: list[EventHead] = []
            try:
                heads = await store.read(partial(_heads, last=place.last))
                news = place.news(heads)
                for at in range(0, len(news), _CHUNK):
                    # asked here, after the read: a stream that joined before an event's commit gets the event
                    listening = {one.organization for one in self._streams}
                    ids = [one.id for one in news[at : at + _CHUNK] if one.organization_id in listening]
                    self._offer(await store.read(partial(unscoped_events, event_ids=ids)) if ids else [])
                    place.pass_by(news[at : at + _CHUNK])
                    self.stir()
            except StoreDown as error:
                log.warning("live events wait for the database: %s", error)
            if len(heads) < _BATCH:
                await wake.wait(_POLL)

    def _offer(self, events: list[Event]) -> None:
        for event in events:
            happened = Happened(event)
            for one in self._streams:
                if one.organization != event.organization_id:
                    continue
                try:
                    if one.wants(event):
                        one.held.add(event.id)
                        one.offer(happened)
                except Exception:  # its own trouble: the others go on
                    log.exception(
                        "a WebSocket cannot judge event %s; it is cut and can resume", event.public_id
                    )
                    one.lose()


class _Place:
    """How far the log was followed: the last ``seq``, and the ids passed lately."""

    def __init__(self, start: list[EventHead]) -> None:
        self.last = 0
        self._newest = 0
        self._passed: dict[str, int] = {}
        self.pass_by(start)

    def news(self, heads: list[EventHead]) -> list[EventHead]:
        """Those of ``heads`` (ascending) that were not passed yet."""
        if heads and heads[-1].seq < self.last:
            self.last = heads[-1].seq  # the newest rows were deleted
        return [one for one in heads if self.is_new(one)]

    def is_new(self, event: EventHead) -> bool:
        """Whether an event was not passed yet: the next read finds it."""
        late = event.seq > self.last - OVERLAP and event.created_at > self._newest - _LATE_US
        return event.id not in self._passed and (event.seq > self.last or late)

    def pass_by(self, heads: list[EventHead]) -> None:
        """Note that these were offered."""
        for one in heads:
            self.last = max(self.last, one.seq)
            self._newest = max(self._newest, one.created_at)
            self._passed[one.id] = one.created_at
        surplus = len(self._passed) - 4 * OVERLAP
        for known, at in list(self._passed.items())[: max(surplus, 0)]:
            if at > self._newest - 2 * _LATE_US:
                break
            del self._passed[known]


def _start(tx: Tx) -> list[EventHead]:
    return unscoped_event_heads(tx, unscoped_newest_seq(tx) - OVERLAP, _BATCH + OVERLAP)


def _heads(tx: Tx, last: int) -> list[EventHead]:
    return unscoped_event_heads(tx, min(last, unscoped_newest_seq(tx)) - OVERLAP, _BATCH + OVERLAP)
