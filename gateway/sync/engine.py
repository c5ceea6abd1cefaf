"""The sync engine: hints in, one pass at a time per inbox out (see the package's docstring)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial

from imapclient.exceptions import IMAPClientError

from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.folders import FolderRole
from gateway.records.inboxes import Inbox
from gateway.settings import Limits, Settings
from gateway.store.engine import Store, StoreDown
from gateway.store.ids import now_us
from gateway.store.leases import LeaseLost, Share
from gateway.store.queries.inboxes import unscoped_busiest_addresses, unscoped_running_inbox_at
from gateway.store.queries.mailbox_index import messages_without_location
from gateway.store.transaction import Tx
from gateway.sync import apply, fetch, pending_flags, reread
from gateway.sync.drafts import settle_drafts
from gateway.sync.fetch import Cursor, Delta
from gateway.sync.intake import Intake
from gateway.sync.mailbox_ownership import Turns
from gateway.sync.pass_slots import PassImap, Slots
from mailserver.base import Hint, MailServer, MailServerDown
from mailserver.imap import ImapPool, MailboxStuck
from mailserver.memory import Memory

log = logging.getLogger("postern.sync")

_BACKOFF_FIRST, _BACKOFF_MOST = 0.5, 30.0
_STUCK_MOST = 15.0
"""Seconds between two tries of a mailbox that does not answer, at most."""
_STUCK_SLOTS = 2
"""How many mailboxes that do not answer are tried at once, beside the passes over the others."""
_HINT_PAUSE = 2.0
"""Seconds after a failure from which on a hint brings the next try forward."""
_DATABASE_MOST = 5.0
_SETTLED_US = 600 * 1_000_000
_SWEPT = 200
"""Rows removed in one transaction: other writers, and a stop, wait for that long and no longer."""
_TIMES = 4
"""What fetching and parsing a large message takes, in its own size."""
_SWEEP_SECONDS = 3600.0
"""How often orphans are looked for although nothing says that there are any: a send that was under way when its folder
went, for one."""
_LOOKS = 8
"""How often a pass reads on while mail keeps coming, before it leaves what is gone to the next."""


@dataclass(slots=True)
class _Wanted:
    """What one inbox waits to have read."""

    folders: set[str] = field(default_factory=set)
    everything: bool = False
    only_new: bool = True

    def merge(self, hint: Hint) -> None:
        if hint.folder is None or hint.kind in ("folders", "unknown"):
            self.everything = True
        else:
            self.folders.add(hint.folder)
        if hint.kind != "new":
            self.only_new = False


@dataclass(slots=True)
class _Lane:
    wanted: _Wanted | None = None
    running: bool = False
    failures: int = 0
    failed_at: float = 0.0  # by the event loop's clock
    again: asyncio.TimerHandle | None = None  # the next try, while it waits after a failure
    checked: bool = False  # orphans looked for since the process started, and since a folder was made anew
    swept: float = 0.0  # monotonic time of that
    drafts_settled: bool = False  # no draft is gone from its folder that is in the index yet
    waiters: list[asyncio.Future[None]] = field(default_factory=list)


@dataclass(slots=True)
class _Look:
    """What one pass has read."""

    inbox: Inbox
    lane: _Lane
    seen: dict[str, Cursor]  # by folder
    gone: dict[str, list[Delta]] = field(default_factory=dict)  # what vanished, by folder
    held: dict[str, int] = field(default_factory=dict)  # the MODSEQ of those folders as the index has it
    lost: set[str] = field(default_factory=set)  # folders that are no more
    reset: bool = False  # a folder has another UIDVALIDITY

    @property
    def address(self) -> str:
        return str(self.inbox.address)


class Sync:
    """Follows every mailbox. ``hint`` may be called from the event loop at any time."""

    def __init__(
        self,
        store: Store,
        mail: MailServer,
        imap: ImapPool,
        parser: ParserPool,
        events: EventLog,
        drafts: apply.DraftSink,
        settings: Settings,
        extractor: ExtractPool | None = None,
        turns: Turns | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._memory = memory or Memory(Limits().memory)
        self._turns = turns or Turns(store)
        self._store, self._mail, self._parser = store, mail, parser
        self._drafts, self._settings = drafts, settings
        self._slots, self._stuck_slots = Slots(max(1, settings.sync.concurrency)), Slots(_STUCK_SLOTS)
        self._held: dict[str, Slots] = {}  # whose place the pass over an inbox has
        self._imap = PassImap(imap, self._held.get)
        self._intake = Intake(
            store,
            self._imap,
            parser,
            extractor,
            lambda address: self._held.get(address, self._slots),
            events,
            drafts,
            settings,
            self._turns,
        )
        self._passes: set[asyncio.Task[None]] = set()
        self._looks: set[asyncio.Task[None]] = set()
        self._lanes: dict[str, _Lane] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._stuck_queue: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._oldest: dict[str, float] = {}  # address -> monotonic time of its first unanswered hint
        self.announce = True
        self._first_sweep_done = False

    async def start(self) -> None:
        """Start the passes and the catch-up clock; every inbox is looked at once."""
        self._turns.on_hint(self._told)
        self._turns.leases.on_gain(self._gained)
        self._turns.leases.while_busy(self._busy)
        self._turns.wakeups.answer("refresh", self._refreshed)
        self._tasks = [
            asyncio.create_task(self._work(self._queue, self._slots), name="sync"),
            asyncio.create_task(self._work(self._stuck_queue, self._stuck_slots), name="sync-stuck"),
            asyncio.create_task(self._catch_up(), name="sync-catch-up"),
        ]

    async def stop(self) -> None:
        """Stop after the batches in hand; nothing that was not committed is lost (the cursor tells)."""
        for lane in self._lanes.values():
            if lane.again is not None:
                lane.again.cancel()
        running = [*self._tasks, *self._passes, *self._looks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._tasks = []
        self._lanes.clear()  # what they wait for is found again by looking
        self._oldest.clear()

    def hint(self, hint: Hint) -> None:
        """The mail server says that a mailbox changed (see :class:`mailserver.base.Hint`)."""
        if self._turns.mine(hint.address.lower()):
            self._want(hint)
        else:
            self._turns.pass_on(hint)

    def _told(self, hint: Hint | None) -> None:
        if hint is None:
            self._look_soon(lambda address: True)
        elif self._turns.mine(hint.address.lower()):
            self._want(hint)

    def _gained(self, shares: Collection[Share]) -> None:
        """Mailboxes are ours now: what we knew of them may be old."""
        for address in [one for one in self._lanes if self._turns.share(one) in shares]:
            if not self._lanes[address].running:
                self.forget(address)
        self._look_soon(lambda address: self._turns.share(address) in shares)

    def _busy(self, share: Share) -> bool:
        return any(lane.running and self._turns.share(one) == share for one, lane in self._lanes.items())

    def _look_soon(self, which: Callable[[str], bool]) -> None:
        look = asyncio.create_task(self._look_at(which), name="sync-look")
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)

    async def _look_at(self, which: Callable[[str], bool]) -> None:
        with contextlib.suppress(StoreDown):  # the catch-up comes to them too
            for address in await self._store.read(unscoped_busiest_addresses):
                if which(address) and self._turns.mine(address):
                    self._want(Hint(address))
                    await asyncio.sleep(0.002)

    def _want(self, hint: Hint) -> None:
        address = hint.address.lower()
        lane = self._lanes.setdefault(address, _Lane())
        if lane.wanted is None:
            lane.wanted = _Wanted()
            self._oldest.setdefault(address, time.monotonic())
            if not lane.running:
                self._enqueue(address)
        elif lane.again is not None:  # it may be over what the last pass failed of
            self._try_at(address, lane, min(lane.again.when(), lane.failed_at + _HINT_PAUSE))
        lane.wanted.merge(hint)

    def _enqueue(self, address: str) -> None:
        """Have a pass when there is a place; mailboxes that do not answer share few of them."""
        (self._stuck_queue if self._imap.is_stuck(address) else self._queue).put_nowait(address)

    def _try_at(self, address: str, lane: _Lane, when: float) -> None:
        """Have the next try at this time of the event loop."""
        if lane.again is not None:
            lane.again.cancel()

        def now() -> None:
            lane.again = None
            if self._lanes.get(address) is lane:
                self._enqueue(address)

        lane.again = asyncio.get_running_loop().call_at(when, now)

    async def refresh(self, address: str, timeout: float = 30.0) -> None:
        """Look at a whole inbox now and return when it was read. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            if not self._turns.mine(address.lower()):
                await self._turns.refresh(address)
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._want(Hint(address))
            self._lanes[address.lower()].waiters.append(waiter)
            await waiter

    async def read(self, address: str) -> None:
        """Read a whole mailbox in an engine that was not started (``postern rebuild``).

        Raises StoreDown, MailServerDown, IMAPClientError: what was read until then is kept.
        """
        lane = self._lanes.setdefault(address.lower(), _Lane())
        with contextlib.suppress(apply.InboxGone):
            for _ in range(_LOOKS):
                lane.wanted = None
                await self._pass(address.lower(), lane, _Wanted(everything=True, only_new=False))
                if lane.wanted is None:  # nothing came while it was read
                    break
        self.forget(address)

    async def _refreshed(self, address: str) -> str:
        """Another process asks for ``refresh``; an empty answer when the mailbox is not ours."""
        if not self._turns.mine(address.lower()):
            return ""
        await self.refresh(address)
        return "read"

    def forget(self, address: str) -> None:
        """An inbox is gone: drop what waits for it."""
        self._lanes.pop(address.lower(), None)
        self._oldest.pop(address.lower(), None)

    def lag(self) -> float:
        """Seconds the oldest unanswered hint has waited; mailboxes that do not answer are reported by themselves
        (:meth:`ImapPool.stuck`), and keep nobody else waiting."""
        waiting = [since for address, since in self._oldest.items() if not self._imap.is_stuck(address)]
        return time.monotonic() - min(waiting) if waiting else 0.0

    async def _work(self, queue: asyncio.Queue[str], slots: Slots) -> None:
        while True:
            address = await queue.get()
            await slots.take()
            one = asyncio.create_task(self._serve(address, slots), name=f"sync of {address}")
            self._passes.add(one)
            one.add_done_callback(self._passes.discard)

    async def _serve(self, address: str, slots: Slots) -> None:
        try:
            lane = self._lanes.get(address)
            if lane is None or lane.running or lane.wanted is None:
                return
            if not self._turns.mine(address):
                self.forget(address)
                self._turns.pass_on(Hint(address))
                return
            if slots is not self._stuck_slots and self._imap.is_stuck(address):
                self._enqueue(address)  # found so while it waited for its turn
                return
            self._held[address] = slots
            wanted, lane.wanted, lane.running = lane.wanted, None, True
            waiters, lane.waiters = lane.waiters, []
            try:
                await self._pass(address, lane, wanted)
            except (MailServerDown, StoreDown, TimeoutError, OSError) as error:
                self._later(address, lane, wanted, waiters, error)
            except asyncio.CancelledError:
                raise
            except apply.InboxGone:
                self.forget(address)
            except LeaseLost as error:
                log.info("%s: %s", address, error)
                self.forget(address)
            except Exception as error:
                log.exception(
                    "sync of %s failed; it is tried again, others go on", address, extra={"inbox": address}
                )
                self._later(address, lane, wanted, waiters, error)
            else:
                lane.failures = 0
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result(None)
                if not self._waits(lane):
                    self._oldest.pop(address, None)
            finally:
                lane.running = False
                self._held.pop(address, None)
            if self._waits(lane) and not lane.failures:  # a hint came meanwhile
                self._enqueue(address)
        finally:
            slots.give()

    @staticmethod
    def _waits(lane: _Lane) -> bool:
        return lane.wanted is not None

    def _later(
        self,
        address: str,
        lane: _Lane,
        wanted: _Wanted,
        waiters: list[asyncio.Future[None]],
        error: Exception,
    ) -> None:
        lane.failures += 1
        again = lane.wanted or _Wanted()
        again.folders |= wanted.folders
        again.everything |= wanted.everything
        again.only_new &= wanted.only_new
        lane.wanted = again
        lane.waiters = waiters + lane.waiters
        most = _STUCK_MOST if isinstance(error, MailboxStuck) else _BACKOFF_MOST
        if isinstance(error, StoreDown):
            most = _DATABASE_MOST  # not the mailbox's fault: once the database is back, none waits long
        delay = min(_BACKOFF_FIRST * 2 ** min(lane.failures - 1, 10), most) * random.uniform(0.7, 1.3)  # noqa: S311
        if lane.failures in (1, 5) or lane.failures % 50 == 0:
            log.warning(
                "sync of %s waits %.1f s after failure %d: %s; check the mail server's log if this goes on",
                address,
                delay,
                lane.failures,
                error,
                extra={"inbox": address},
            )
        lane.failed_at = asyncio.get_running_loop().time()
        self._try_at(address, lane, lane.failed_at + delay)

    async def _catch_up(self) -> None:
        while True:
            try:
                found = await self._store.read(unscoped_busiest_addresses)
            except StoreDown as error:
                log.warning("catch-up cannot read the inboxes: %s", error)
                found = []
            except Exception:
                log.exception("catch-up failed to read the inboxes; it goes on")
                found = []
            addresses = [one for one in found if self._turns.mine(one)]
            # a sweep never takes more than its share: with push the hints do the work
            share = 1 / 8 if self._mail.has_push else 1 / 60
            pause = max(self._settings.sync.catch_up_seconds / max(len(addresses), 1), share)
            for address in addresses:
                if self._turns.mine(address):
                    self._want(Hint(address))
                await asyncio.sleep(pause if self._first_sweep_done else min(pause, 0.002))
            if not self._first_sweep_done:
                self._first_sweep_done = True
            if not addresses:
                await asyncio.sleep(min(self._settings.sync.catch_up_seconds, 5.0))
            elif len(addresses) * pause < self._settings.sync.catch_up_seconds:
                await asyncio.sleep(self._settings.sync.catch_up_seconds - len(addresses) * pause)

    async def _pass(self, address: str, lane: _Lane, wanted: _Wanted) -> None:
        inbox, cursors = await self._store.quick_read(partial(_inbox_and_cursors, address=address))
        if inbox is None:
            self.forget(address)
            return
        try:
            await self._read(inbox, cursors, lane, wanted)
        except IMAPClientError:
            inbox, _ = await self._store.read(partial(_inbox_and_cursors, address=address))
            if inbox is None:  # its mailbox was taken away while we read it
                raise apply.InboxGone(address) from None
            raise

    async def _read(self, inbox: Inbox, cursors: dict[str, Cursor], lane: _Lane, wanted: _Wanted) -> None:
        address = inbox.address
        first = not lane.checked
        write = partial(self._turns.write, address)
        with self._memory.tab(inbox.organization_id):
            await self._look(inbox, cursors, lane, wanted)
            await pending_flags.pay(self._store, self._imap, inbox, write)
            await reread.read_again(self._store, self._imap, self._parser, inbox, write, everything=first)

    async def _look(self, inbox: Inbox, cursors: dict[str, Cursor], lane: _Lane, wanted: _Wanted) -> None:
        """Read what is wanted, then forget what is gone."""
        look = _Look(inbox, lane, cursors)
        if wanted.everything and time.monotonic() - lane.swept >= _SWEEP_SECONDS:
            lane.checked = lane.drafts_settled = False
        names = {name for name in wanted.folders if name in cursors}
        if wanted.everything or not lane.checked or wanted.folders - names:
            await self._folders(look)
        else:
            try:
                for name in sorted(names):
                    await self._folder(look, name, cursors[name].role, only_new=wanted.only_new)
            except IMAPClientError:  # it may be gone since the hint, or have another name
                await self._folders(look)
        if not await self._forget(look):
            self._want(Hint(inbox.address))

    async def _forget(self, look: _Look) -> bool:
        """Take out of the index what is gone from the mail server; False when that has to wait.

        A message may have been moved to where we had looked already. It is gone if it is nowhere once the mailbox
        stood still: from the first folder to the last, none had got mail since it was read.
        """
        removed: list[str] = []
        whole = look.reset or bool(look.lost)
        if look.gone and not whole:
            try:
                removed = await self._write_vanished(look, stood_still=False)
            except apply.MayHaveMoved:
                whole = True
        if whole:
            for _ in range(_LOOKS):
                if not await self._folders(look, only_grown=True):
                    break
            else:
                return False
            removed = await self._write_vanished(look, stood_still=True)
            if look.lost:
                removed += await self._turns.write(
                    look.address, partial(apply.drop_folders, inbox=look.inbox, names=look.lost)
                )
        removed += await self._sweep_orphans(look)
        await self._settle_drafts(look)
        if removed:
            log.info(
                "inbox %s: %d messages are gone from the mail server",
                look.address,
                len(removed),
                extra={"inbox": look.address},
            )
        return True

    async def _sweep_orphans(self, look: _Look) -> list[str]:
        """Remove the messages that have no place, unless that was done and nothing happened since."""
        removed: list[str] = []
        while not look.lane.checked:
            swept = await self._turns.write(look.address, partial(_sweep, inbox=look.inbox))
            removed += swept
            look.lane.checked = len(swept) < _SWEPT
            look.lane.swept = time.monotonic()
        return removed

    async def _settle_drafts(self, look: _Look) -> None:
        """Remove the drafts that are gone from their folder, unless that was done and nothing happened since."""
        if look.lane.drafts_settled:
            return
        removed = await settle_drafts(
            self._store,
            self._imap,
            self._parser,
            look.inbox,
            self._drafts,
            partial(self._turns.write, look.address),
        )
        look.lane.drafts_settled = True
        if removed:
            log.info("inbox %s: %d drafts are gone from their folder", look.address, removed)

    async def _write_vanished(self, look: _Look, *, stood_still: bool) -> list[str]:
        deltas = [delta for folder in look.gone.values() for delta in folder]
        return await self._turns.write(
            look.address,
            partial(
                apply.write_vanished,
                inbox=look.inbox,
                deltas=deltas,
                stood_still=stood_still,
            ),
        )

    async def _folders(self, look: _Look, *, only_grown: bool = False) -> bool:
        """Read those folders that are not as we know them; whether there were any."""
        states, qresync = await self._imap.run(
            look.address, lambda client: (fetch.list_folders(client), client.qresync)
        )
        behind = [
            state
            for state in states
            if fetch.grown(state, look.seen.get(state.name))
            or (not only_grown and fetch.changed(state, look.seen[state.name], qresync))
        ]
        for state in behind:
            await self._folder(look, state.name, state.role, only_new=False)
        look.lost = set(look.seen) - {state.name for state in states}
        if any(look.seen[name].role == "drafts" for name in look.lost):
            look.lane.drafts_settled = False
        return bool(behind)

    async def _folder(self, look: _Look, name: str, role: FolderRole, *, only_new: bool) -> None:
        """Read and write one folder, batch by batch.

        Its MODSEQ stands still in the index until what vanished is written: who ends in between is told again.
        """
        while True:
            cursor = look.seen.get(name)
            delta = await self._batch(
                look, partial(fetch.read, name=name, role=role, cursor=cursor, only_new=only_new)
            )
            if delta.reset:
                look.reset = True
                look.lane.checked = False  # before it is written: whoever fails after that looks for orphans
                look.gone.pop(name, None)
                look.held.pop(name, None)
            left = cursor is None or delta.reset or delta.vanished or delta.alive is not None
            if left and "drafts" in (role, cursor.role if cursor else None):
                look.lane.drafts_settled = False
            before = 0 if cursor is None or delta.reset else cursor.modseq
            if delta.vanished:
                look.held.setdefault(name, before)
            held = look.held.get(name)
            if held is None:
                await self._intake.take(look.inbox, delta, before, announce=self.announce)
            else:
                await self._intake.take(look.inbox, replace(delta, modseq=held), held, announce=self.announce)
            look.seen[name] = Cursor(role, delta.state.uidvalidity, delta.uidnext, delta.modseq)
            if delta.vanished or delta.alive is not None:
                look.gone.setdefault(name, []).append(delta)
            if not delta.more:
                return

    async def _batch(self, look: _Look, read: Callable[..., Delta]) -> Delta:
        """The next batch. A large message waits until there is memory for it, and other inboxes go on meanwhile."""
        self._memory.free()
        delta = await self._imap.run(look.address, read)
        while delta.large:
            room = delta.large
            async with self._held.get(look.address, self._slots).lent(0):
                await self._memory.need(_TIMES * room)
            delta = await self._imap.run(look.address, partial(read, room=room))
        return delta


def _inbox_and_cursors(tx: Tx, address: str) -> tuple[Inbox | None, dict[str, Cursor]]:
    inbox = unscoped_running_inbox_at(tx, address)
    return inbox, apply.cursors_of(tx, inbox.id) if inbox else {}


def _sweep(tx: Tx, inbox: Inbox) -> list[str]:
    """Remove messages that are nowhere on the mail server, left by a crash or a new UIDVALIDITY; fresh sends stay."""
    orphans = messages_without_location(tx, inbox.id, now_us() - _SETTLED_US, _SWEPT)
    return apply.remove_orphans(tx, orphans)
