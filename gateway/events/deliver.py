"""The delivery engine: posts events to webhooks, at least once, in order per inbox (DESIGN §1.5).

A *lane* is one webhook and one inbox (see ``lanes``). Posts of a lane go one after another; while one batch of
outcomes is being written (``settle``) the next post is already under way.

Crash safety: a delivery row stays pending until its outcome is committed, so a kill repeats at most the posts in
flight and the few (``_UNSETTLED``) answered but not yet written, with the same id and body.

Silence: what is posted was read from the database at most ``_FRESH`` seconds before, so a webhook switched off or
deleted, or an inbox deleted, hears nothing later than that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from gateway.events import lanes
from gateway.events.lanes import Ahead, Kind
from gateway.events.log import EventLog
from gateway.events.settle import DAY, SECOND, Ledger, Posted, sweep
from gateway.events.slots import SLOW_AFTER, Slots
from gateway.events.webhook_signing import sign, sign_mailboxkit, sign_openmail
from gateway.events.wire import body_bytes
from gateway.net.client import SafeClient
from gateway.net.errors import NetError, TimedOut
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.engine import Row, Store, StoreDown, Tx
from gateway.store.ids import now_us
from gateway.store.jsontext import load

log = logging.getLogger("postern.webhooks")
T = TypeVar("T")

Render = Callable[[Row], object]
"""An event row into the JSON value a dialect's webhooks get."""

_UNSETTLED = 8
_FRESH = 0.02
_TURN = 1.0
_GRACE = 3.0
_LEGACY = {"openmail": sign_openmail, "mailboxkit": sign_mailboxkit}


class WebhookDelivery:
    """Runs every lane. ``renderers`` maps a dialect's name to its rendering of an event row."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        client: SafeClient,
        settings: Settings,
        renderers: Mapping[str, Render],
    ) -> None:
        self._store, self._events, self._client = store, events, client
        self._timeout, self._renderers = settings.webhooks.timeout, renderers
        self._keep_us = settings.events.keep_days * DAY
        scale = settings.webhooks.retry_scale
        self._ledger = Ledger(scale, settings.webhooks.disable_after_days * DAY * scale)
        self._slots = Slots(settings.webhooks.concurrency)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._settles: set[asyncio.Task[Ahead]] = set()
        self._fresh: set[str] = set()
        self._everywhere = True
        self._stopping = False
        self._bell: Bell | None = None
        self._loop: asyncio.Task[None] | None = None
        self._unlisten: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Start; whatever was pending when the last process ended is taken up at once."""
        self._stopping, self._everywhere = False, True
        bell = self._bell = Bell()
        loop = asyncio.get_running_loop()

        def grown(webhooks: frozenset[str]) -> None:
            try:
                loop.call_soon_threadsafe(self._grown, webhooks)
            except RuntimeError:  # the loop has closed
                pass

        self._unlisten = [self._events.listen_deliveries(grown)]
        self._loop = asyncio.create_task(self._run(bell), name="webhooks")

    async def stop(self) -> None:
        """Let posts in flight end (a few seconds at most), then stop."""
        self._stopping = True
        for unlisten in self._unlisten:
            unlisten()
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        tasks = list(self._lanes.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._settles:
            await asyncio.wait(self._settles, timeout=_GRACE)
        for settle in list(self._settles):
            settle.cancel()

    def _grown(self, webhooks: frozenset[str]) -> None:
        if webhooks:
            self._fresh |= webhooks
        else:
            self._everywhere = True
        if self._bell is not None:
            self._bell.ring()

    async def _run(self, bell: Bell) -> None:
        look_at = mend_at = sweep_at = 0.0
        while True:
            pause = 1.0
            try:
                now = time.monotonic()
                if now >= mend_at:
                    if lost := await self._store.read(lanes.headless):
                        await self._store.write(partial(lanes.mend, lane_names=lost))
                    mend_at = now + 600
                if now >= sweep_at:
                    while await self._store.write(partial(sweep, before=now_us() - self._keep_us)):
                        pass
                    sweep_at = now + 3600
                hooks, self._fresh = self._fresh, set()
                if self._everywhere or now >= look_at:
                    self._everywhere = False
                    waiting = await self._store.read(lanes.waiting_webhooks)
                    hooks |= {hook for hook, at in waiting if at <= now_us()}
                    soonest = min((at for hook, at in waiting if hook not in hooks), default=lanes.BEHIND)
                    look_at = time.monotonic() + min(1.0, max((soonest - now_us()) / SECOND, 0.005))
                await self._open(hooks)
                pause = max(0.0, look_at - time.monotonic())
            except StoreDown as error:
                self._everywhere = True
                log.warning("webhook deliveries wait for the database: %s", error)
            except Exception:
                self._everywhere = True
                log.exception("looking for webhook deliveries failed; it is tried again")
            await bell.wait(pause)

    async def _open(self, hooks: set[str]) -> None:
        """Open lanes of these webhooks as far as there is room."""
        opened = len(self._lanes)
        asked = [(hook, 2 * room + opened) for hook in hooks if (room := self._slots.room(hook))]
        if not asked:
            return
        for lane, hook, crowd in await self._store.read(partial(lanes.due_lanes, asked=asked)):
            if lane in self._lanes or not self._slots.room(hook):
                continue
            self._slots.enter(hook)
            task = asyncio.create_task(self._drain(lane, hook, crowd), name=f"lane-{lane}")
            self._lanes[lane] = task
            task.add_done_callback(partial(self._closed, lane, hook))

    def _closed(self, lane: str, hook: str, task: asyncio.Task[None]) -> None:
        self._lanes.pop(lane, None)
        self._slots.leave(hook)
        self._fresh |= {hook, *self._slots.crowded}
        self._slots.crowded.clear()
        if not task.cancelled() and task.exception() is not None:
            log.error("webhook lane %s stopped; it is opened again", lane, exc_info=task.exception())
            if self._loop is not None:  # at the next look, not at once
                self._fresh.discard(hook)
        if self._bell is not None:
            self._bell.ring()

    async def _drain(self, lane: str, hook: str, crowd: bool) -> None:
        """Post what the lane has to post, for a turn of about a second, then let other lanes have the slot."""
        turn = time.monotonic() + _TURN
        ahead = Ahead(tidy=True) if crowd else await self._store.read(partial(lanes.look, lane=lane))
        if not ahead.rows:  # something was due, yet not what comes first
            ahead = Ahead(tidy=True)
        while not self._stopping:
            if ahead.tidy:
                while await self._write(partial(lanes.tidy, lane=lane, webhook_id=hook)):
                    pass
                ahead = await self._store.read(partial(lanes.look, lane=lane))
                if ahead.tidy:
                    return
            if not ahead.rows or time.monotonic() > turn:
                return
            ahead = await self._post_all(lane, ahead)

    async def _post_all(self, lane: str, ahead: Ahead) -> Ahead:
        """Post the rows in order, writing outcomes while the next post runs; answers what comes next."""
        queue, kind = deque(ahead.rows), ahead.kind
        read_at = time.monotonic()
        answered: list[Posted] = []
        writing: asyncio.Task[Ahead] | None = None
        try:
            while queue:
                posted = await self._post(queue.popleft())
                answered.append(posted)
                stale = time.monotonic() - read_at > _FRESH
                last = not posted.ok or not queue or stale or self._stopping or len(answered) >= _UNSETTLED
                if writing is not None and (last or writing.done()):
                    ahead = await asyncio.shield(writing)
                    writing, read_at = None, time.monotonic()
                    done = {one.row["id"] for one in answered}
                    queue = deque(row for row in ahead.rows if row["id"] not in done)
                if writing is None:
                    writing = self._settling(lane, answered, kind)
                    answered = []
                if last:
                    break
            if writing is None:
                return Ahead()
            return await asyncio.shield(writing)
        finally:
            if answered:  # cancelled: what was answered is still written down
                self._settling(lane, answered, kind)

    def _settling(self, lane: str, posts: list[Posted], kind: Kind) -> asyncio.Task[Ahead]:
        work = partial(self._ledger.settle, lane=lane, posts=posts, kind=kind)
        task = asyncio.create_task(self._write(work), name=f"settle-{lane}")
        self._settles.add(task)
        task.add_done_callback(self._settles.discard)
        return task

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

    async def _post(self, row: Row) -> Posted:
        hook, at = row["webhook_id"], now_us()
        try:
            body = self.body_of(row)
            if body is None:
                return Posted(row, None, None, at)
            headers = _headers(row, body, at)
        except Exception as error:  # one event that cannot be shown must not stop its lane
            log.exception("event evt_%s cannot be rendered for webhook wh_%s", row["event_id"], hook)
            return Posted(row, None, f"not rendered: {type(error).__name__}", at)
        alarm = asyncio.get_running_loop().call_later(SLOW_AFTER, self._slots.slow, hook)
        try:
            answer = await self._client.post(row["url"], body, headers, timeout=self._timeout)
        except TimedOut as error:
            self._slots.slow(hook)
            return Posted(row, None, f"{error.code}: {error.message}", at)
        except NetError as error:
            return Posted(row, None, f"{error.code}: {error.message}", at)
        finally:
            alarm.cancel()
        if answer.duration_ms < SLOW_AFTER * 500:
            self._slots.quick(hook)
        return Posted(row, answer, None, at)

    def body_of(self, row: Row) -> bytes | None:
        """The exact bytes posted for a joined delivery row; None when its dialect has no such event."""
        value = self._renderers[row["dialect"]](
            {**row, "id": row["event_id"], "type": row["event_type"], "created_at": row["event_at"]}
        )
        return None if value is None else body_bytes(value)


def _headers(row: Row, body: bytes, now: int) -> dict[str, str]:
    """The owner's extra headers, then ours, which win whatever the case of their names."""
    secrets = [row["secret"]]
    if row["old_secret"] and (row["old_secret_until"] or 0) > now:
        secrets.append(row["old_secret"])
    event, seconds = f"evt_{row['event_id']}", now // SECOND
    ours = {"Content-Type": "application/json", "User-Agent": "Postern-Webhooks/1"}
    ours |= sign(secrets, event, seconds, body)
    legacy = _LEGACY.get(row["dialect"])
    if legacy is not None:
        ours |= legacy(row["secret"], event, seconds, body)
    taken = {name.lower() for name in ours}
    theirs: dict[str, str] = load(row["headers_json"]) or {}
    return {**{name: value for name, value in theirs.items() if name.lower() not in taken}, **ours}
