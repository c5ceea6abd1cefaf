"""The delivery engine: posts events to webhooks, at least once, in order per inbox (DESIGN §1.5).

It opens a task for each lane whose head is due (see ``lanes``) and for which there is a slot (see ``slots``); the task
posts head after head until the lane is empty or waits, or its turn of a second is over. One task a lane at a time, so
two events of a lane are never on their way at once; where several processes deliver, each has the lanes of the shares
it has leased (``store.leases``), and slots of its own.

Crash safety: a delivery row stays pending until its outcome is committed, so a kill repeats at most the posts
that were in flight, with the same id and body. Retries are scheduled before a row's second try, so a crash
loop cannot hammer an endpoint.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import zip_longest
from typing import TypeVar

import msgspec

from gateway.events import delivery_queue
from gateway.events.delivery_outcome import DAY, SECOND, Posted, probes, settle, settle_probe
from gateway.events.dialect_format import Try, Wire
from gateway.events.log import EventLog
from gateway.events.post_slots import GRACE, PER_WEBHOOK, Slot, Slots, host_of
from gateway.net.client import SafeClient
from gateway.net.errors import NetError
from gateway.records.events import Event
from gateway.records.ids import (
    EVENT_ID,
    INBOX_ID,
    WEBHOOK_ID,
    EventId,
    InboxId,
    OrganizationId,
    WebhookId,
    now_us,
)
from gateway.records.webhooks import Webhook
from gateway.settings import Settings
from gateway.store.engine import Store, StoreDown
from gateway.store.leases import DUTIES, Leases, LocalLeases, Share
from gateway.store.queries.deliveries import (
    DueLane,
    Pending,
    due_lanes,
    next_of_lane,
    unscoped_drop_surplus,
    unscoped_next_due,
    unscoped_organizations_due,
    unscoped_promote_heads,
)
from gateway.store.queries.events import unscoped_sweep_events
from gateway.store.transaction import Tx
from gateway.store.wake_event import WakeEvent

log = logging.getLogger("postern.webhooks")

T = TypeVar("T")
SentOnSocket = Callable[[str, Event], Awaitable[bool]]
"""Whether an open socket of a dialect was sent an event; may wait for one that is about to be."""

_ORGANIZATIONS = 200
_AHEAD = 100
_LOOKS = 5
_TURN = 1.0
_REST = 10.0
_STOP_SECONDS = 3.0
_SLOW_MS = 5000
_TIDY_EVERY = 60.0
_SWEEP_EVERY = 3600.0


class WebhookDelivery:
    """Runs every lane. ``wires`` maps a dialect's name to its format."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        client: SafeClient,
        settings: Settings,
        wires: Mapping[str, Wire],
        sent_on_socket: SentOnSocket | None = None,
        leases: Leases | None = None,
    ) -> None:
        self._leases = leases or LocalLeases()
        self._store, self._events, self._client = store, events, client
        self._settings, self._wires, self._sent_on_socket = settings.webhooks, wires, sent_on_socket
        self._keep_us = settings.events.keep_days * DAY
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._shares: dict[str, Share] = {}
        self._slots = Slots(self._settings.concurrency * PER_WEBHOOK)
        self._rest: dict[str, float] = {}
        self._turn = ""
        self._wake: WakeEvent | None = None
        self._loop: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start; whatever was pending when the last process ended is taken up at once."""
        self._wake = WakeEvent()
        self._stopping = False
        wake = self._wake
        self._unlisten = self._events.listen(wake.set)
        self._leases.on_gain(lambda shares: wake.set())
        self._leases.while_busy(lambda share: share in self._shares.values())
        self._loop = asyncio.create_task(self._run(self._wake), name="webhooks")

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

    async def _run(self, wake: WakeEvent) -> None:
        tidied = swept = float("-inf")
        while True:
            pause, began = 1.0, time.monotonic()
            try:
                keeper = self._leases.holds(("lanes", 0))
                if began - tidied > _TIDY_EVERY and keeper:
                    await self._store.write(self._tidy)
                    tidied = began
                pause = await self._look()
                if began - swept > _SWEEP_EVERY and keeper:
                    await self._store.write(partial(unscoped_sweep_events, before=now_us() - self._keep_us))
                    swept = began
            except StoreDown as error:
                log.warning("webhook deliveries wait for the database: %s", error)
            except Exception:
                log.exception("looking for webhook deliveries failed; it is tried again")
            await wake.wait(pause)

    def _tidy(self, tx: Tx) -> None:
        unscoped_promote_heads(tx)
        unscoped_drop_surplus(tx, self._settings.wait_while_off, now_us() - self._keep_us)

    async def _look(self) -> float:
        """Open a lane for each head that is due and has a slot; answers the seconds until the next one is due."""
        began, now = time.monotonic(), now_us()
        shares = self._held()
        if shares == []:
            return 1.0
        full = self._slots.full_webhooks()
        found, upcoming = await self._store.read(partial(self._find, now=now, full=full, shares=shares))
        # each organization in turn, so that none waits behind all that another has due
        opened = [
            self._open_lane(due, organization)
            for one_of_each in zip_longest(*([(one, due) for due in lanes] for one, lanes in found.items()))
            for organization, due in filter(None, one_of_each)
        ]
        if found:
            self._turn = next(reversed(found)) if len(found) == _ORGANIZATIONS else ""
        # a long queue makes looking dear: it must not take all our time
        long = any(len(lanes) >= _AHEAD for lanes in found.values()) or len(found) == _ORGANIZATIONS
        await asyncio.sleep(min(time.monotonic() - began, 0.2) if long else 0)
        if long and any(opened) and self._wake is not None:
            self._wake.set()  # there is more than was looked at
        return 1.0 if upcoming is None else min(1.0, max((upcoming - now_us()) / SECOND, 0.005))

    def _find(
        self, tx: Tx, now: int, full: list[str], shares: list[int] | None
    ) -> tuple[dict[str, list[DueLane]], int | None]:
        """The lanes that may be posted now, by organization, and when the next one's time comes (µs)."""
        found: dict[str, list[DueLane]] = {}
        for organization in unscoped_organizations_due(tx, now, self._turn, _ORGANIZATIONS):
            if self._slots.room(organization) > 0:
                found[organization] = self._find_of(tx, organization, now, full, shares)
        return found, unscoped_next_due(tx, now)

    def _find_of(
        self, tx: Tx, organization: OrganizationId, now: int, full: list[str], shares: list[int] | None
    ) -> list[DueLane]:
        # what is being posted is still due; beyond it, more than there is room for, as some will be refused
        most = self._slots.held(organization) + _AHEAD
        without = set(full)
        for _ in range(_LOOKS):
            lanes = due_lanes(tx, organization, now, without, most, shares)
            refused = {
                one.webhook_id for one in lanes if self._slots.refuses(self._slot_of(one, organization))
            }
            wanted = [one for one in lanes if one.lane not in self._lanes and one.webhook_id not in refused]
            if wanted or len(lanes) < most or not refused:
                break
            without |= refused  # behind all that one of its endpoints has due, another may be free
        return wanted

    def _slot_of(self, due: DueLane, organization: OrganizationId) -> Slot:
        host = host_of(due.url)
        standing = self._slots.standing(
            organization,
            host,
            due.webhook_id,
            failing=due.failing_since is not None,
            succeeded=due.succeeded_at is not None,
        )
        return Slot(due.lane, organization, host, due.webhook_id, standing)

    def _held(self) -> list[int] | None:
        """The shares of the lanes that are this process's; None: every one."""
        if self._leases.alone:
            return None
        return [n for n in range(DUTIES["lanes"][1]) if self._leases.holds(("lanes", n))]

    def _open_lane(self, due: DueLane, organization: OrganizationId) -> bool:
        slot, lane = self._slot_of(due, organization), due.lane
        share: Share = ("lanes", due.share)
        if lane in self._lanes or self._resting(lane) or self._slots.refuses(slot):
            return False
        self._slots.take(slot)
        task = asyncio.create_task(self._drain(slot, share), name=f"lane-{lane}")
        self._lanes[lane], self._shares[lane] = task, share
        task.add_done_callback(partial(self._closed, slot))
        return True

    def _resting(self, lane: str) -> bool:
        return self._rest.get(lane, 0.0) > time.monotonic()

    def _closed(self, slot: Slot, _task: asyncio.Task[None]) -> None:
        self._lanes.pop(slot.lane, None)
        self._shares.pop(slot.lane, None)
        self._slots.give_back(slot)
        if self._wake is not None:
            self._wake.set()

    async def _drain(self, slot: Slot, share: Share) -> None:
        """Post head after head of a lane. Never raises: whatever goes wrong, the lane is opened again later."""
        lane, ends = slot.lane, time.monotonic() + _TURN
        try:
            head = await self._store.quick_read(lambda tx: delivery_queue.due_head(tx, lane, now_us()))
            while head is not None and not self._stopping and self._leases.holds(share):
                behind = (
                    await self._store.quick_read(partial(next_of_lane, lane=lane, after=head.delivery.id))
                    if probes(head)
                    else None
                )
                posted, tried = await self._post_in_time(slot, head), None
                if behind is not None and not posted.ok and not slot.late:
                    tried = await self._post_in_time(slot, behind)
                write = partial(settle, wire=self._wires[head.webhook.dialect], settings=self._settings)
                refused, head = head, await self._write(partial(write, posted=posted))
                if tried is not None:
                    probed = partial(settle_probe, head=refused, posted=tried, settings=self._settings)
                    head = await self._write(probed)
                if slot.late or time.monotonic() > ends:
                    break  # its turn is over: others may wait for the slot
        except StoreDown as error:
            log.warning("the deliveries of %s wait for the database: %s", _named(lane), error)
            self._let_rest(lane, 1.0)
        except Exception:
            log.exception("the deliveries of %s stopped; they go on in %d s", _named(lane), _REST)
            self._let_rest(lane, _REST)  # not at once: what broke it may break it again, after a post

    def _let_rest(self, lane: str, seconds: float) -> None:
        now = time.monotonic()
        self._rest = {one: until for one, until in self._rest.items() if until > now}
        self._rest[lane] = now + seconds

    async def _post_in_time(self, slot: Slot, pending: Pending) -> Posted:
        """Post; once it takes long, out of the way of others."""
        post = asyncio.ensure_future(self._post(pending, slot))
        slot.post = post
        try:
            await asyncio.wait({post}, timeout=GRACE)
            if not post.done():
                self._slots.delay(slot)
                if self._wake is not None:
                    self._wake.set()
                await asyncio.wait({post})
            if slot.cut and post.cancelled():
                self._slots.suspect(slot.organization, slot.host, slot.webhook)
                return Posted(
                    pending, None, "TimedOut: no answer, and too many endpoints are slow to wait longer"
                )
            return post.result()
        finally:
            slot.post = None
            post.cancel()

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

    async def _taken_by_socket(self, wire: Wire, pending: Pending) -> bool:
        """Whether an open socket was sent the event; waits for one that is about to be. Asked before the first try
        only: an event that has been posted, perhaps taken, is not sent on another channel."""
        event = pending.event
        first = event.type in wire.prefer_socket and not pending.delivery.attempts
        if not first or self._sent_on_socket is None:
            return False
        try:
            return await self._sent_on_socket(pending.webhook.dialect, event)
        except Exception as error:  # nobody knows: sent twice is better than not at all
            log.warning("whether a socket was sent event %s is not known: %s", event.public_id, error)
            return False

    async def _post(self, pending: Pending, slot: Slot) -> Posted:
        webhook, event = pending.webhook, pending.event
        wire = self._wires[webhook.dialect]
        if await self._taken_by_socket(wire, pending):
            return Posted(pending, None, None)
        at = now_us()
        try:
            body = body_of(wire, event, Try(pending.delivery.attempts + 1, at))
            if body is None:
                return Posted(pending, None, None)
            headers = headers_of(wire, webhook, event.id, body, at)
        except Exception as error:  # one event that cannot be shown must not stop its lane
            log.exception("event %s cannot be rendered for webhook %s", event.public_id, webhook.public_id)
            return Posted(pending, None, f"not rendered: {type(error).__name__}")
        try:
            seconds = wire.timeout or self._settings.timeout
            answer = await self._client.post(webhook.url, body, headers, timeout=seconds)
        except NetError as error:
            self._slots.suspect(slot.organization, slot.host, webhook.id)
            return Posted(pending, None, f"{type(error).__name__}: {error}")
        if answer.duration_ms >= _SLOW_MS:
            self._slots.suspect(slot.organization, slot.host, webhook.id)
        elif answer.ok:
            self._slots.clear(slot.organization, slot.host, webhook.id)
        return Posted(pending, answer, None)


def _named(lane: str) -> str:
    """A lane's webhook and inbox, for a log line."""
    webhook, _, inbox = lane.partition("#")[0].partition("/")
    return f"webhook {WEBHOOK_ID.public(WebhookId(webhook))}" + (
        f" for inbox {INBOX_ID.public(InboxId(inbox))}" if inbox else ""
    )


def most_posts(settings: Settings) -> int:
    """How many posts may be under way at once, those that hang included: so many connections they need."""
    return Slots(settings.webhooks.concurrency * PER_WEBHOOK).most


def body_of(wire: Wire, event: Event, attempt: Try) -> bytes | None:
    """The exact bytes posted for an event; None when the dialect has no such event."""
    value = wire.render(event, attempt)
    return None if value is None else msgspec.json.encode(value)


def headers_of(wire: Wire, webhook: Webhook, event_id: EventId, body: bytes, at: int) -> dict[str, str]:
    """The owner's extra headers, then ours, which win whatever the case of their names.

    ``event_id``: the event's ULID; ``at``: the time of this attempt, µs.
    """
    secrets = [webhook.secret.reveal()]
    if webhook.old_secret is not None and (webhook.old_secret_until or 0) > at:
        secrets.append(webhook.old_secret.reveal())
    ours = {"Content-Type": "application/json", "User-Agent": "Postern-Webhooks/1"}
    ours |= wire.sign(secrets, EVENT_ID.public(event_id), at // SECOND, body)
    taken = {name.lower() for name in ours}
    theirs = webhook.headers
    return {**{name: value for name, value in theirs.items() if name.lower() not in taken}, **ours}
