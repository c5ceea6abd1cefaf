"""What a scan of one mailbox does: it reads what changed, folder by folder, then takes out of the index what is gone.

When a mailbox is scanned, and that one scan runs at a time, is the matter of ``schedule``. A scan may end anywhere and
be repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from imapclient.exceptions import IMAPClientError

from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.folders import FolderRole
from gateway.records.ids import MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.settings import Limits, Settings
from gateway.store.engine import Store
from gateway.store.queries.inboxes import unscoped_running_inbox_at
from gateway.store.queries.mailbox_index import messages_without_location
from gateway.store.transaction import Tx
from gateway.sync import apply, fetch, pending_flags, reread
from gateway.sync.drafts import settle_drafts
from gateway.sync.fetch import Cursor, Delta
from gateway.sync.intake import Intake
from gateway.sync.mailbox_ownership import MailboxOwnership
from gateway.sync.scan_slots import ScanImap, Slots
from mailserver.base import Hint
from mailserver.imap import ImapPool
from mailserver.memory import Memory

log = logging.getLogger("postern.sync")

T = TypeVar("T")

_SENDING_US = 600 * 1_000_000
"""For how long a message without a copy may be one that is being sent."""
_SWEPT = 200
"""Rows removed in one transaction: other writers, and a stop, wait for that long and no longer."""
_TIMES = 4
"""What fetching and parsing a large message takes, in its own size."""
_SWEEP_SECONDS = 3600.0
"""How often orphans are searched for although nothing says that there are any: a send that was under way when its
folder went, for one."""
_ROUNDS = 8
"""How often a scan reads on while mail keeps coming, before it leaves what is gone to the next."""


@dataclass(slots=True)
class ScanRequest:
    """What to read of a mailbox: ``folders``, or ``everything``. ``only_new``: no flags, and nothing that is gone."""

    folders: set[str] = field(default_factory=set)
    everything: bool = False
    only_new: bool = True

    def add(self, hint: Hint) -> None:
        """Also read what a hint is about."""
        if hint.folder is None or hint.kind in ("folders", "unknown"):
            self.everything = True
        else:
            self.folders.add(hint.folder)
        if hint.kind != "new":
            self.only_new = False

    def merge(self, other: ScanRequest) -> None:
        """Also read what another request asks for."""
        self.folders |= other.folders
        self.everything |= other.everything
        self.only_new &= other.only_new


@dataclass(slots=True)
class Swept:
    """What the scans of a mailbox have removed, since the process started and since anything happened to it.

    ``orphans``: every message that has no copy, last at the monotonic time ``at``; ``drafts``: every draft whose copy
    is gone.
    """

    orphans: bool = False
    at: float = 0.0
    drafts: bool = False


class Scanner:
    """Makes the scans: what they all need."""

    def __init__(
        self,
        store: Store,
        imap: ImapPool,
        parser: ParserPool,
        events: EventLog,
        drafts: apply.DraftSink,
        settings: Settings,
        *,
        extractor: ExtractPool | None = None,
        ownership: MailboxOwnership | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.store, self.imap, self.parser, self.drafts = store, imap, parser, drafts
        self.ownership = ownership or MailboxOwnership(store)
        self.memory = memory or Memory(Limits().memory)
        self.intake = Intake(store, parser, extractor, events, drafts, settings, self.ownership)

    async def scan(self, address: str, request: ScanRequest, swept: Swept, slots: Slots) -> bool:
        """Read a mailbox. ``slots``: those that the scan has its slot of.

        Returns:
            Whether it has to be scanned again, since mail kept coming.

        Raises:
            InboxGone: there is no such inbox any more.
            StoreDown, MailServerDown, IMAPClientError: what was read until then is kept.
            LeaseLost: it is another process's to read.
        """
        try:
            return await self._scan_once(address, request, swept, slots)
        except IMAPClientError as error:
            # most often a folder, or the whole mailbox, was deleted or renamed while it was read
            log.info("%s is scanned again: %s", address, error)
            return await self._scan_once(address, request, swept, slots)

    async def _scan_once(self, address: str, request: ScanRequest, swept: Swept, slots: Slots) -> bool:
        inbox, cursors = await self.store.quick_read(partial(_inbox_and_cursors, address=address))
        if inbox is None:
            raise apply.InboxGone(address)
        first = not swept.orphans
        imap, write = ScanImap(self.imap, slots), partial(self.ownership.write, address)
        with self.memory.tab(inbox.organization_id):
            settled = await Scan(self, inbox, cursors, imap, swept).run(request)
            await pending_flags.store_flags(self.store, imap, inbox, write)
            await reread.read_again(self.store, imap, self.parser, inbox, write, everything=first)
        return not settled

    async def read(self, address: str) -> None:
        """Read a whole mailbox that nothing else scans (``postern rebuild``).

        Raises StoreDown, MailServerDown, IMAPClientError: what was read until then is kept.
        """
        swept, slots = Swept(), Slots(1)
        await slots.take()
        with suppress(apply.InboxGone):
            for _ in range(_ROUNDS):
                if not await self.scan(
                    address.lower(), ScanRequest(everything=True, only_new=False), swept, slots
                ):
                    break


class Scan:
    """One scan of one mailbox, and what it has read so far."""

    def __init__(
        self, scanner: Scanner, inbox: Inbox, cursors: dict[str, Cursor], imap: ScanImap, swept: Swept
    ) -> None:
        self._scanner, self._inbox, self._imap, self._swept = scanner, inbox, imap, swept
        self._cursors = cursors  # by folder
        self._vanished: dict[str, list[Delta]] = {}  # by folder
        self._held: dict[str, int] = {}  # the MODSEQ of those folders as the index has it
        self._lost: set[str] = set()  # folders that are no more
        self._reset = False  # a folder has another UIDVALIDITY

    async def run(self, request: ScanRequest) -> bool:
        """Read what is requested, then remove what is gone; False when that has to wait."""
        swept = self._swept
        if request.everything and time.monotonic() - swept.at >= _SWEEP_SECONDS:
            swept.orphans = swept.drafts = False
        names = {name for name in request.folders if name in self._cursors}
        if request.everything or not swept.orphans or request.folders - names:
            await self._read_folders()
        else:
            try:
                for name in sorted(names):
                    await self._read_folder(name, self._cursors[name].role, only_new=request.only_new)
            except IMAPClientError:  # it may be gone since the hint, or have another name
                await self._read_folders()
        return await self.remove_gone()

    async def remove_gone(self) -> bool:
        """Take out of the index what is gone from the mail server; False when that has to wait.

        A message may have been moved to a folder that was read before. It is gone if it is nowhere once the mailbox
        stood still: from the first folder to the last, none had got mail since it was read.
        """
        removed: list[MessageId] = []
        whole = self._reset or bool(self._lost)
        if self._vanished and not whole:
            try:
                removed = await self._write_vanished(stood_still=False)
            except apply.MayHaveMoved:
                whole = True
        if whole:
            for _ in range(_ROUNDS):
                if not await self._read_folders(only_grown=True):
                    break
            else:
                return False
            removed = await self._write_vanished(stood_still=True)
            if self._lost:
                removed += await self._write(partial(apply.drop_folders, inbox=self._inbox, names=self._lost))
        removed += await self._remove_orphans()
        await self._settle_drafts()
        if removed:
            log.info(
                "inbox %s: %d messages are gone from the mail server",
                self._inbox.address,
                len(removed),
                extra={"inbox": self._inbox.address},
            )
        return True

    async def _write(self, work: Callable[[Tx], T]) -> T:
        return await self._scanner.ownership.write(self._inbox.address, work)

    async def _write_vanished(self, *, stood_still: bool) -> list[MessageId]:
        deltas = [delta for folder in self._vanished.values() for delta in folder]
        return await self._write(
            partial(apply.write_vanished, inbox=self._inbox, deltas=deltas, stood_still=stood_still)
        )

    async def _remove_orphans(self) -> list[MessageId]:
        """Remove the messages that have no copy, unless that was done and nothing happened since."""
        removed: list[MessageId] = []
        while not self._swept.orphans:
            batch = await self._write(partial(_remove_orphans, inbox=self._inbox))
            removed += batch
            self._swept.orphans = len(batch) < _SWEPT
            self._swept.at = time.monotonic()
        return removed

    async def _settle_drafts(self) -> None:
        """Remove the drafts that are gone from their folder, unless that was done and nothing happened since."""
        if self._swept.drafts:
            return
        scanner = self._scanner
        removed = await settle_drafts(
            scanner.store, self._imap, scanner.parser, self._inbox, scanner.drafts, self._write
        )
        self._swept.drafts = True
        if removed:
            log.info("inbox %s: %d drafts are gone from their folder", self._inbox.address, removed)

    async def _read_folders(self, *, only_grown: bool = False) -> bool:
        """Read those folders that are not as we know them; whether there were any."""
        states, qresync = await self._imap.run(
            self._inbox.address, lambda client: (fetch.list_folders(client), client.qresync)
        )
        behind = [
            state
            for state in states
            if fetch.grown(state, self._cursors.get(state.name))
            or (not only_grown and fetch.changed(state, self._cursors[state.name], qresync))
        ]
        for state in behind:
            await self._read_folder(state.name, state.role, only_new=False)
        self._lost = set(self._cursors) - {state.name for state in states}
        if any(self._cursors[name].role == "drafts" for name in self._lost):
            self._swept.drafts = False
        return bool(behind)

    async def _read_folder(self, name: str, role: FolderRole, *, only_new: bool) -> None:
        """Read and write one folder, batch by batch.

        Its MODSEQ stays as it is in the index until what vanished is written: after a crash in between the mail server
        reports that again.
        """
        intake = self._scanner.intake
        while True:
            cursor = self._cursors.get(name)
            delta = await self._read_batch(
                partial(fetch.read, name=name, role=role, cursor=cursor, only_new=only_new)
            )
            if delta.reset:
                self._reset = True
                self._swept.orphans = (
                    False  # before it is written: after a failure the next scan searches for orphans
                )
                self._vanished.pop(name, None)
                self._held.pop(name, None)
            left = cursor is None or delta.reset or delta.vanished or delta.alive is not None
            if left and "drafts" in (role, cursor.role if cursor else None):
                self._swept.drafts = False
            before = 0 if cursor is None or delta.reset else cursor.modseq
            if delta.vanished:
                self._held.setdefault(name, before)
            held = self._held.get(name)
            if held is None:
                await intake.take(self._inbox, self._imap, delta, before)
            else:
                await intake.take(self._inbox, self._imap, replace(delta, modseq=held), held)
            self._cursors[name] = Cursor(role, delta.state.uidvalidity, delta.uidnext, delta.modseq)
            if delta.vanished or delta.alive is not None:
                self._vanished.setdefault(name, []).append(delta)
            if not delta.more:
                return

    async def _read_batch(self, read: Callable[..., Delta]) -> Delta:
        """The next batch. A large message waits until there is memory for it, and other inboxes go on meanwhile."""
        memory, address = self._scanner.memory, self._inbox.address
        memory.free()
        delta = await self._imap.run(address, read)
        while delta.large:
            room = delta.large
            async with self._imap.slots.lent(0):
                await memory.need(_TIMES * room)
            delta = await self._imap.run(address, partial(read, room=room))
        return delta


def _inbox_and_cursors(tx: Tx, address: str) -> tuple[Inbox | None, dict[str, Cursor]]:
    inbox = unscoped_running_inbox_at(tx, address)
    return inbox, apply.cursors_of(tx, inbox.id) if inbox else {}


def _remove_orphans(tx: Tx, inbox: Inbox) -> list[MessageId]:
    """Remove messages that are nowhere on the mail server, left by a crash or a new UIDVALIDITY; fresh sends stay."""
    orphans = messages_without_location(tx, inbox.id, now_us() - _SENDING_US, _SWEPT)
    return apply.remove_orphans(tx, orphans)
