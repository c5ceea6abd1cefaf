"""Which mailbox is scanned when: one scan of it at a time, on hints, by the catch-up clock, and again after a failure.

What a scan does is the matter of ``scan``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.settings import Settings
from gateway.store.engine import Store, StoreDown
from gateway.store.leases import LeaseLost, Share
from gateway.store.queries.inboxes import unscoped_busiest_addresses
from gateway.sync import apply
from gateway.sync.scan import Scanner, ScanRequest, Swept
from gateway.sync.scan_slots import Slots
from mailserver.base import Hint, MailServer, MailServerDown
from mailserver.imap import MailboxStuck

log = logging.getLogger("postern.sync")

_RETRY_FIRST, _RETRY_MOST = 0.5, 30.0
"""Seconds from a failure to the next try."""
_STUCK_MOST = 15.0
"""The same at most for a mailbox that does not answer."""
_DATABASE_MOST = 5.0
"""The same at most while the database is down: that is no mailbox's fault, and once it is back none waits long."""
_STUCK_SLOTS = 2
"""How many mailboxes that do not answer are tried at once, beside the scans of the others."""
_HINT_PAUSE = 2.0
"""Seconds after a failure from which on a hint brings the next try forward."""
_QUICK_PAUSE = 0.002
"""Seconds between two mailboxes where all of them are scanned as soon as possible: other work comes in between."""


@dataclass(slots=True)
class _Mailbox:
    """What the schedule knows of a mailbox."""

    request: ScanRequest | None = None  # what the next scan is to read; None: none is wanted
    running: bool = False
    failures: int = 0  # in a row
    failed_at: float = 0.0  # by the event loop's clock
    retry: asyncio.TimerHandle | None = None  # the next try, while it waits after a failure
    swept: Swept = field(default_factory=Swept)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def take_request(self) -> tuple[ScanRequest, list[asyncio.Future[None]]]:
        """What the scan that begins is to read, and who waits for it."""
        request, waiters = self.request or ScanRequest(), self.waiters
        self.request, self.waiters = None, []
        return request, waiters


class Sync:
    """Keeps the index of every mailbox up to date. ``hint`` may be called from the event loop at any time."""

    def __init__(self, store: Store, mail: MailServer, scanner: Scanner, settings: Settings) -> None:
        self._store, self._mail, self._scanner, self._settings = store, mail, scanner, settings
        self._ownership, self._is_stuck = scanner.ownership, scanner.imap.is_stuck
        self._slots, self._stuck_slots = Slots(max(1, settings.sync.concurrency)), Slots(_STUCK_SLOTS)
        self._mailboxes: dict[str, _Mailbox] = {}  # by address, as far as something happened to them
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._stuck_queue: asyncio.Queue[str] = asyncio.Queue()
        self._oldest: dict[str, float] = {}  # address -> monotonic time of its first unanswered hint
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs: set[asyncio.Task[None]] = set()  # scans, and requests of many of them
        self._first_round_done = False

    async def start(self) -> None:
        """Start scanning; every inbox is scanned at once."""
        self._ownership.on_forwarded(self._on_forwarded)
        self._ownership.leases.on_gain(self._on_gain)
        self._ownership.leases.while_busy(self._busy)
        self._ownership.wakeups.answer("refresh", self._refresh_for_another)
        self._tasks = [
            asyncio.create_task(self._work(self._queue, self._slots), name="sync"),
            asyncio.create_task(self._work(self._stuck_queue, self._stuck_slots), name="sync-stuck"),
            asyncio.create_task(self._catch_up(), name="sync-catch-up"),
        ]

    async def stop(self) -> None:
        """Stop after the batches in hand; nothing that was not committed is lost, for no cursor has passed it."""
        for mailbox in self._mailboxes.values():
            if mailbox.retry is not None:
                mailbox.retry.cancel()
        running = [*self._tasks, *self._jobs]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._tasks = []
        self._mailboxes.clear()  # what they wait for is found again by the next start
        self._oldest.clear()

    def hint(self, hint: Hint) -> None:
        """The mail server says that a mailbox changed (see :class:`mailserver.base.Hint`)."""
        if self._ownership.owns(hint.address.lower()):
            self._request(hint)
        else:
            self._ownership.forward(hint)

    async def refresh(self, address: str, timeout: float = 30.0) -> None:
        """Scan a whole inbox now and return when it was read. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            if not self._ownership.owns(address.lower()):
                await self._ownership.refresh(address)
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._request(Hint(address))
            self._mailboxes[address.lower()].waiters.append(waiter)
            await waiter

    def lag(self) -> float:
        """Seconds the oldest unanswered hint has waited; mailboxes that do not answer are reported by themselves
        (:meth:`ImapPool.stuck`), and keep nobody else waiting."""
        waiting = [since for address, since in self._oldest.items() if not self._is_stuck(address)]
        return time.monotonic() - min(waiting) if waiting else 0.0

    # --- what asks for a scan ---

    def _on_forwarded(self, hint: Hint | None) -> None:
        """Another process forwards a hint; None: some may have been missed."""
        if hint is None:
            self._request_soon(lambda address: True)
        elif self._ownership.owns(hint.address.lower()):
            self._request(hint)

    def _on_gain(self, shares: Collection[Share]) -> None:
        """Mailboxes are ours now: what we knew of them may be old."""
        share = self._ownership.share
        for address in [address for address in self._mailboxes if share(address) in shares]:
            if not self._mailboxes[address].running:
                self._forget(address)
        self._request_soon(lambda address: share(address) in shares)

    def _busy(self, share: Share) -> bool:
        return any(
            mailbox.running and self._ownership.share(address) == share
            for address, mailbox in self._mailboxes.items()
        )

    async def _refresh_for_another(self, address: str) -> str:
        """Another process asks for ``refresh``; an empty answer when the mailbox is not ours."""
        if not self._ownership.owns(address.lower()):
            return ""
        await self.refresh(address)
        return "read"

    def _request_soon(self, which: Callable[[str], bool]) -> None:
        self._keep(asyncio.create_task(self._request_each(which), name="sync-requests"))

    async def _request_each(self, which: Callable[[str], bool]) -> None:
        with suppress(StoreDown):  # the catch-up comes to them too
            for address in await self._store.read(unscoped_busiest_addresses):
                if which(address) and self._ownership.owns(address):
                    self._request(Hint(address))
                    await asyncio.sleep(_QUICK_PAUSE)

    async def _catch_up(self) -> None:
        """Scan every mailbox again and again: what a lost hint missed is found so."""
        while True:
            try:
                found = await self._store.read(unscoped_busiest_addresses)
            except StoreDown as error:
                log.warning("catch-up cannot read the inboxes: %s", error)
                found = []
            except Exception:
                log.exception("catch-up failed to read the inboxes; it goes on")
                found = []
            addresses = [address for address in found if self._ownership.owns(address)]
            # it never takes more than its share: with push the hints do the work
            share = 1 / 8 if self._mail.has_push else 1 / 60
            every = self._settings.sync.catch_up_seconds
            pause = max(every / max(len(addresses), 1), share)
            for address in addresses:
                if self._ownership.owns(address):
                    self._request(Hint(address))
                await asyncio.sleep(pause if self._first_round_done else min(pause, _QUICK_PAUSE))
            self._first_round_done = True
            if not addresses:
                await asyncio.sleep(min(every, 5.0))
            elif len(addresses) * pause < every:
                await asyncio.sleep(every - len(addresses) * pause)

    def _request(self, hint: Hint) -> None:
        """Have a mailbox of this process scanned."""
        address = hint.address.lower()
        mailbox = self._mailboxes.setdefault(address, _Mailbox())
        if mailbox.request is None:
            mailbox.request = ScanRequest()
            self._oldest.setdefault(address, time.monotonic())
            if not mailbox.running:
                self._enqueue(address)
        elif mailbox.retry is not None:  # what the last scan failed of may be over
            self._retry_at(address, mailbox, min(mailbox.retry.when(), mailbox.failed_at + _HINT_PAUSE))
        mailbox.request.add(hint)

    # --- when it runs ---

    def _enqueue(self, address: str) -> None:
        """Scan when there is a slot; mailboxes that do not answer share few of them."""
        (self._stuck_queue if self._is_stuck(address) else self._queue).put_nowait(address)

    def _retry_at(self, address: str, mailbox: _Mailbox, when: float) -> None:
        """Have the next try at this time of the event loop."""
        if mailbox.retry is not None:
            mailbox.retry.cancel()

        def now() -> None:
            mailbox.retry = None
            if self._mailboxes.get(address) is mailbox:
                self._enqueue(address)

        mailbox.retry = asyncio.get_running_loop().call_at(when, now)

    async def _work(self, queue: asyncio.Queue[str], slots: Slots) -> None:
        while True:
            address = await queue.get()
            await slots.take()
            self._keep(asyncio.create_task(self._serve(address, slots), name=f"sync of {address}"))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _serve(self, address: str, slots: Slots) -> None:
        """Scan a mailbox whose turn it is, if that is still wanted, and give the slot back."""
        try:
            mailbox = self._mailboxes.get(address)
            if mailbox is None or mailbox.running or mailbox.request is None:
                return
            if not self._ownership.owns(address):
                self._forget(address)
                self._ownership.forward(Hint(address))
            elif slots is not self._stuck_slots and self._is_stuck(address):
                self._enqueue(address)  # found so while it waited for its slot
            else:
                await self._scan(address, mailbox, slots)
        finally:
            slots.give()

    async def _scan(self, address: str, mailbox: _Mailbox, slots: Slots) -> None:
        request, waiters = mailbox.take_request()
        mailbox.running = True
        try:
            if await self._scanner.scan(address, request, mailbox.swept, slots):
                self._request(Hint(address))
        except (MailServerDown, StoreDown, TimeoutError, OSError) as error:
            self._retry(address, mailbox, request, waiters, error)
        except apply.InboxGone:
            self._forget(address)
            _answer(waiters)
        except LeaseLost as error:
            log.info("%s: %s", address, error)
            self._forget(address)
        except Exception as error:
            log.exception(
                "sync of %s failed; it is tried again, others go on", address, extra={"inbox": address}
            )
            self._retry(address, mailbox, request, waiters, error)
        else:
            mailbox.failures = 0
            _answer(waiters)
            if mailbox.request is None:
                self._oldest.pop(address, None)
        finally:
            mailbox.running = False
        if mailbox.request is not None and not mailbox.failures:  # a hint came meanwhile
            self._enqueue(address)

    def _retry(
        self,
        address: str,
        mailbox: _Mailbox,
        request: ScanRequest,
        waiters: list[asyncio.Future[None]],
        error: Exception,
    ) -> None:
        """Try a scan that failed again, after a pause."""
        mailbox.failures += 1
        if mailbox.request is not None:
            request.merge(mailbox.request)
        mailbox.request = request
        mailbox.waiters = waiters + mailbox.waiters
        most = _STUCK_MOST if isinstance(error, MailboxStuck) else _RETRY_MOST
        if isinstance(error, StoreDown):
            most = _DATABASE_MOST
        delay = min(_RETRY_FIRST * 2 ** min(mailbox.failures - 1, 10), most) * random.uniform(0.7, 1.3)  # noqa: S311
        if mailbox.failures in (1, 5) or mailbox.failures % 50 == 0:
            log.warning(
                "sync of %s waits %.1f s after failure %d: %s; check the mail server's log if this goes on",
                address,
                delay,
                mailbox.failures,
                error,
                extra={"inbox": address},
            )
        mailbox.failed_at = asyncio.get_running_loop().time()
        self._retry_at(address, mailbox, mailbox.failed_at + delay)

    def _forget(self, address: str) -> None:
        """Drop what waits for a mailbox that is gone, or another process's."""
        self._mailboxes.pop(address, None)
        self._oldest.pop(address, None)


def _answer(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
