"""Fanning new events out to the streams of this process (WebSockets), once for all of them.

One task follows the log while anyone listens: it wakes with the log's bell (and every second, for what other
processes append), reads what is new once, and offers it to every stream of its organization. A stream that falls
behind a bounded queue is cut; its reader resumes from the log, which is the truth.

What is new is told by id, not by ``seq`` alone: each look goes back a little, because PostgreSQL can commit a lower
``seq`` after a higher one, and SQLite gives the highest one out again when its row was deleted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.events.log import EventLog
from gateway.store.bell import Bell
from gateway.store.engine import Row, Store, StoreDown, Tx
from gateway.store.jsontext import dump

log = logging.getLogger("postern.live")

OVERLAP = 256
"""How far back a look at the log reaches, in rows."""

MAX_WAITING = 1000
"""Events a stream may be behind."""

MAX_WAITING_SIZE = 8 * 1024 * 1024
"""Characters of payload a stream may be behind."""

_BATCH = 1000
_LATE_US = 20_000_000
_POLL = 1.0
_CHUNK = 50

Render = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass(slots=True)
class Happened:
    """An event row on its way to streams; ``since`` (monotonic seconds) is when it was read."""

    row: Row
    since: float = field(default_factory=time.monotonic)
    _texts: dict[str, str | None] = field(default_factory=dict)

    def text(self, dialect: str, render: Render) -> str | None:
        """The event as JSON text, rendered once for all streams of a dialect; None when it has no such event."""
        if dialect not in self._texts:
            value = render(self.row)
            self._texts[dialect] = None if value is None else dump(value)
        return self._texts[dialect]


class Stream:
    """One listener. ``wants`` judges an event row of the organization; ``lost`` is set when it must be cut."""

    def __init__(self, organization: str, wants: Callable[[Row], bool], dialect: str = "agentmail") -> None:
        self.organization = organization
        self.dialect = dialect
        self.wants = wants
        self.lost = asyncio.Event()
        self._waiting: deque[Happened] = deque()
        self._size = 0
        self._some = asyncio.Event()

    def offer(self, happened: Happened) -> None:
        """Take an event in, or be lost: what waited is let go."""
        if self.lost.is_set():
            return
        size = len(happened.row["payload_json"])
        if len(self._waiting) >= MAX_WAITING or (self._waiting and self._size + size > MAX_WAITING_SIZE):
            self.lose()
            return
        self._waiting.append(happened)
        self._size += size
        self._some.set()

    def lose(self) -> None:
        """Give the stream up."""
        self.lost.set()
        self._waiting.clear()

    async def next(self) -> Happened:
        """The next event; waits for it."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        happened = self._waiting.popleft()
        self._size -= len(happened.row["payload_json"])
        return happened


class LiveEvents:
    """Follows the log while anyone listens. One for each running gateway; used on the event loop only.

    ``open`` counts the open sockets by organization, for their limit.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self._streams: set[Stream] = set()
        self._job: asyncio.Task[None] | None = None

    async def join(self, stream: Stream, store: Store, events: EventLog) -> None:
        """Start listening: whatever is committed after this call returned is heard. Raises StoreDown."""
        if self._job is None or self._job.done():
            start = await store.read(_start)
            if self._job is None or self._job.done():  # (another may have started it meanwhile)
                self._job = asyncio.create_task(self._run(store, events, start), name="live-events")
        self._streams.add(stream)

    def leave(self, stream: Stream) -> None:
        """Stop listening; harmless when it never joined."""
        self._streams.discard(stream)
        if not self._streams and self._job is not None:
            self._job.cancel()
            self._job = None

    def heard_by(self, dialect: str, row: Row) -> bool:
        """Whether an open stream of ``dialect`` takes this event row."""
        return any(
            one.dialect == dialect
            and one.organization == row["organization_id"]
            and not one.lost.is_set()
            and one.wants(row)
            for one in self._streams
        )

    async def _run(self, store: Store, events: EventLog, start: list[Row]) -> None:
        bell = Bell()
        stop_listening = events.listen(bell.ring)
        try:
            await self._follow(store, bell, _Place(start))
        except Exception:
            log.exception("the live stream of events broke; its listeners are cut and can resume")
            for one in self._streams:
                one.lose()
        finally:
            stop_listening()

    async def _follow(self, store: Store, bell: Bell, place: _Place) -> None:
        while True:
            heads: list[Row] = []
            try:
                heads = await store.read(partial(_heads, last=place.last))
                news = place.news(heads)
                for at in range(0, len(news), _CHUNK):
                    # who listens is asked here, after the look: who joined before an event's commit hears it
                    heard = {one.organization for one in self._streams}
                    ids = [one["id"] for one in news[at : at + _CHUNK] if one["organization_id"] in heard]
                    self._offer(await store.read(partial(_whole, ids=ids)) if ids else [])
                    place.pass_by(news[at : at + _CHUNK])
            except StoreDown as error:
                log.warning("live events wait for the database: %s", error)
            if len(heads) < _BATCH:
                await bell.wait(_POLL)

    def _offer(self, rows: list[Row]) -> None:
        for row in rows:
            happened = Happened(row)
            for one in self._streams:
                if one.organization == row["organization_id"] and one.wants(row):
                    one.offer(happened)


class _Place:
    """How far the log was followed: the last ``seq``, and the ids passed lately."""

    def __init__(self, start: list[Row]) -> None:
        self.last = 0
        self._newest = 0
        self._passed: dict[str, int] = {}
        self.pass_by(start)

    def news(self, heads: list[Row]) -> list[Row]:
        """Those of ``heads`` (ascending) that were not passed yet."""
        if heads and heads[-1]["seq"] < self.last:
            self.last = heads[-1]["seq"]  # the newest rows were deleted
        return [
            one
            for one in heads
            if one["id"] not in self._passed
            and (one["seq"] > self.last or one["created_at"] > self._newest - _LATE_US)
        ]

    def pass_by(self, heads: list[Row]) -> None:
        """Note that these were offered."""
        for one in heads:
            self.last = max(self.last, one["seq"])
            self._newest = max(self._newest, one["created_at"])
            self._passed[one["id"]] = one["created_at"]
        surplus = len(self._passed) - 4 * OVERLAP
        for known, at in list(self._passed.items())[: max(surplus, 0)]:
            if at > self._newest - 2 * _LATE_US:
                break
            del self._passed[known]


_HEAD = "SELECT seq, id, organization_id, created_at FROM event WHERE seq > ? ORDER BY seq LIMIT ?"


def _start(tx: Tx) -> list[Row]:
    top = tx.value("SELECT max(seq) FROM event") or 0
    return tx.rows(_HEAD, top - OVERLAP, _BATCH + OVERLAP)


def _heads(tx: Tx, last: int) -> list[Row]:
    top = tx.value("SELECT max(seq) FROM event") or 0
    return tx.rows(_HEAD, min(last, top) - OVERLAP, _BATCH + OVERLAP)


def _whole(tx: Tx, ids: list[str]) -> list[Row]:
    marks = ", ".join("?" * len(ids))
    return tx.rows(f"SELECT * FROM event WHERE id IN ({marks}) ORDER BY seq", *ids)  # noqa: S608
