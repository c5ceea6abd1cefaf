"""The delivery engine: posts events to webhooks, at least once, in order per inbox (DESIGN §1.5).

It opens a task for each lane whose head is due (see ``lanes``); the task posts head after head until the lane is
empty or waits. One task a lane at a time, so two events of a lane are never on their way at once; where several
processes deliver, each has the lanes of the shares it has leased (``store.leases``).

Crash safety: a delivery row stays pending until its outcome is committed, so a kill repeats at most the posts
that were in flight, with the same id and body. Retries are scheduled before a row's second try, so a crash
loop cannot hammer an endpoint.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from gateway.events import lanes
from gateway.events.log import EventLog
from gateway.events.settle import DAY, SECOND, Posted, settle
from gateway.events.wire import Try, Wire
from gateway.net.client import SafeClient
from gateway.net.errors import NetError
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.engine import Row, Store, StoreDown, Tx
from gateway.store.ids import now_us
from gateway.store.jsontext import load
from gateway.store.leases import DUTIES, Leases, LocalLeases, Share

log = logging.getLogger("postern.webhooks")

T = TypeVar("T")
Heard = Callable[[str, Row], Awaitable[bool]]
"""Whether an open socket of a dialect was sent an event; may wait for one that is about to be."""

_PER_WEBHOOK = 8
_LOOK_AHEAD = 400
_STOP_SECONDS = 3.0
_SLOW_MS = 5000
_TIDY_EVERY = 60.0
_SWEEP_EVERY = 3600.0


class WebhookDelivery:
    """Runs every lane. ``wires`` maps a dialect's name to how it looks on the wire."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        client: SafeClient,
        settings: Settings,
        wires: Mapping[str, Wire],
        heard: Heard | None = None,
        leases: Leases | None = None,
    ) -> None:
        self._leases = leases or LocalLeases()
        self._store, self._events, self._client = store, events, client
        self._settings, self._wires, self._heard = settings.webhooks, wires, heard
        self._keep_us = settings.events.keep_days * DAY
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._shares: dict[str, Share] = {}
        self._busy: Counter[str] = Counter()
        self._slow: set[str] = set()
        self._bell: Bell | None = None
        self._loop: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start; whatever was pending when the last process ended is taken up at once."""
        self._bell = Bell()
        self._stopping = False
        bell = self._bell
        self._unlisten = self._events.listen(bell.ring)
        self._leases.on_gain(lambda shares: bell.ring())
        self._leases.while_busy(lambda share: share in self._shares.values())
        self._loop = asyncio.create_task(self._run(self._bell), name="webhooks")

    async def stop(self) -> None:
        """Let posts in flight end and be written down (a few seconds at most), then stop."""
        self._stopping = True
        if self._unlisten:
            self._unlisten()
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        tasks = list(self._lanes.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, bell: Bell) -> None:
        tidied = swept = float("-inf")
        while True:
            pause, began = 1.0, time.monotonic()
            try:
                keeper = self._leases.holds(("lanes", 0))
                if began - tidied > _TIDY_EVERY and keeper:
                    await self._store.write(lanes.promote_all)
                    tidied = began
                pause = await self._look()
                if began - swept > _SWEEP_EVERY and keeper:
                    await self._store.write(partial(_sweep, before=now_us() - self._keep_us))
                    swept = began
            except StoreDown as error:
                log.warning("webhook deliveries wait for the database: %s", error)
            except Exception:
                log.exception("looking for webhook deliveries failed; it is tried again")
            await bell.wait(pause)

    async def _look(self) -> float:
        """Open a lane for each head that is due; answers the seconds until the next one is."""
        began, now = time.monotonic(), now_us()
        shares = self._held()
        if shares == []:
            return 1.0
        full = [hook for hook, open_ in self._busy.items() if open_ >= self._width(hook)]

        def look(tx: Tx) -> tuple[list[Row], int | None]:
            return lanes.due(tx, now, full, _LOOK_AHEAD, shares), lanes.next_due(tx, now)

        due, upcoming = await self._store.read(look)
        for row in due:
            self._open_lane(row["lane"], row["webhook_id"], ("lanes", row["share"]))
        # a long queue of a busy endpoint makes looking dear: it must not take all our time
        await asyncio.sleep(min(time.monotonic() - began, 0.2) if len(due) == _LOOK_AHEAD else 0)
        return 1.0 if upcoming is None else min(1.0, max((upcoming - now_us()) / SECOND, 0.005))

    def _width(self, webhook: str) -> int:
        return 1 if webhook in self._slow else _PER_WEBHOOK

    def _held(self) -> list[int] | None:
        """The shares of the lanes that are this process's; None: every one."""
        if self._leases.alone:
            return None
        return [n for n in range(DUTIES["lanes"][1]) if self._leases.holds(("lanes", n))]

    def _open_lane(self, lane: str, webhook: str, share: Share) -> None:
        if lane in self._lanes or self._busy[webhook] >= self._width(webhook):
            return
        if len(self._lanes) >= self._settings.concurrency * _PER_WEBHOOK:
            return
        self._busy[webhook] += 1
        task = asyncio.create_task(self._drain(lane, share), name=f"lane-{lane}")
        self._lanes[lane], self._shares[lane] = task, share
        task.add_done_callback(partial(self._closed, lane, webhook))

    def _closed(self, lane: str, webhook: str, task: asyncio.Task[None]) -> None:
        self._lanes.pop(lane, None)
        self._shares.pop(lane, None)
        self._busy[webhook] -= 1
        if self._busy[webhook] <= 0:
            del self._busy[webhook]
        if not task.cancelled() and task.exception() is not None:
            # taken up again within a second, not at once: what broke it may break it again
            log.error("webhook lane %s stopped; it is opened again", lane, exc_info=task.exception())
        elif self._bell is not None:
            self._bell.ring()

    async def _drain(self, lane: str, share: Share) -> None:
        row = await self._store.glance(lambda tx: lanes.head(tx, lane, now_us()))
        while row is not None and not self._stopping and self._leases.holds(share):
            posted = await self._post(row)
            wire = self._wires[row["dialect"]]
            row = await self._write(partial(settle, posted=posted, wire=wire, settings=self._settings))

    async def _write(self, work: Callable[[Tx], T]) -> T:
        """Write, however long the database is away: posting again what was answered would hammer the endpoint."""
        pause = 0.1
        while True:
            try:
                return await self._store.write(work)
            except StoreDown as error:
                log.warning("webhook outcomes wait for the database: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)

    async def _taken_by_socket(self, wire: Wire, row: Row, event: Row) -> bool:
        """Whether an open socket was sent the event; waits for one that is about to be. Asked before the first try
        only: an event that has been posted, perhaps taken, is not told on another channel."""
        first = row["event_type"] in wire.prefer_socket and not row["attempts"]
        return first and self._heard is not None and await self._heard(row["dialect"], event)

    async def _post(self, row: Row) -> Posted:
        hook, wire = row["webhook_id"], self._wires[row["dialect"]]
        event = event_of(row)
        if await self._taken_by_socket(wire, row, event):
            return Posted(row, None, None)
        at = now_us()
        try:
            body = body_of(wire, event, Try(row["attempts"] + 1, at))
            if body is None:
                return Posted(row, None, None)
            headers = headers_of(wire, row, body, at)
        except Exception as error:  # one event that cannot be shown must not stop its lane
            log.exception("event evt_%s cannot be rendered for webhook wh_%s", row["event_id"], hook)
            return Posted(row, None, f"not rendered: {type(error).__name__}")
        try:
            seconds = wire.timeout or self._settings.timeout
            answer = await self._client.post(row["url"], body, headers, timeout=seconds)
        except NetError as error:
            self._slow.add(hook)
            return Posted(row, None, f"{type(error).__name__}: {error}")
        if answer.ok and answer.duration_ms < _SLOW_MS:
            self._slow.discard(hook)
        return Posted(row, answer, None)


def event_of(row: Row) -> Row:
    """The event row in a joined delivery row."""
    return {**row, "id": row["event_id"], "type": row["event_type"], "created_at": row["event_at"]}


def body_of(wire: Wire, event: Row, attempt: Try) -> bytes | None:
    """The exact bytes posted for an event row; None when the dialect has no such event."""
    value = wire.render(event, attempt)
    return None if value is None else msgspec.json.encode(value)


def headers_of(wire: Wire, row: Row, body: bytes, at: int) -> dict[str, str]:
    """The owner's extra headers, then ours, which win whatever the case of their names. ``row``: the webhook's columns
    and ``event_id``; ``at``: this attempt, µs."""
    secrets = [row["secret"]]
    if row["old_secret"] and (row["old_secret_until"] or 0) > at:
        secrets.append(row["old_secret"])
    ours = {"Content-Type": "application/json", "User-Agent": "Postern-Webhooks/1"}
    ours |= wire.sign(secrets, f"evt_{row['event_id']}", at // SECOND, body)
    taken = {name.lower() for name in ours}
    theirs: dict[str, str] = load(row["headers_json"]) or {}
    return {**{name: value for name, value in theirs.items() if name.lower() not in taken}, **ours}


def _sweep(tx: Tx, before: int) -> None:
    """Forget what can no longer be replayed."""
    tx.run("DELETE FROM attempt WHERE created_at < ?", before)
    tx.run("DELETE FROM label_change WHERE created_at < ?", before)
    tx.run("DELETE FROM delivery WHERE created_at < ? AND state <> 'pending'", before)
    tx.run(
        "DELETE FROM event WHERE created_at < ? AND NOT EXISTS "
        "(SELECT 1 FROM delivery WHERE delivery.event_seq = event.seq AND delivery.state = 'pending')",
        before,
    )
