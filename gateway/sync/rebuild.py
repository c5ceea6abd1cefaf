"""``postern rebuild``: throw away every derived row and read them all again from the mailboxes.

Messages are indexed in the order they came in (INTERNALDATE, then folder and UID), so threads grow as they
grew; ids come from the messages themselves (``store.index``), and the times they are listed under stay, as does the
time at which a thread changed last. Sandbox sends and held messages are in no mailbox: the outbox has them.
The text of attachments that were read before is kept: their ids are digests of what they were read from.

What the sync had not read yet is left to it, and with that its events, its labels and the reports in it: each folder
is read up to its cursor. A folder without a cursor (a restored backup has none, nor does a rebuild that was killed) is
read to its end, but what in it is to be announced (``decide``) and was not is left to the sync, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from gateway.extract.pool import ExtractPool
from gateway.extract.types import Extracted
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.ids import ThreadId, now_us
from gateway.records.inboxes import Inbox
from gateway.settings import Events
from gateway.store import threads
from gateway.store.engine import Store
from gateway.store.index import index_from_outbox
from gateway.store.queries.arrivals import Arrivals
from gateway.store.queries.inboxes import unscoped_inboxes
from gateway.store.queries.locations import remove_location
from gateway.store.queries.mailbox_index import (
    forget_attachment_texts,
    forget_inbox,
    indexed_message_count,
    indexed_thread_ids,
    sends_of_outbox,
    thread_change_times,
)
from gateway.store.queries.outbox import mime_of
from gateway.store.transaction import Tx
from gateway.sync import apply, fetch
from gateway.sync.decide import decide
from gateway.sync.extraction import Texts, read_attachments
from gateway.sync.fetch import Cursor, FolderState, Found
from mailserver.imap import ImapPool

_AT_ONCE = 4
"""How many inboxes are rebuilt at once."""


@dataclass(frozen=True, slots=True)
class _Unannounced:
    """What may not be announced yet in a folder without a cursor: mail received in this time (µs)."""

    since: int
    until: int | None

    def holds(self, found: Found) -> bool:
        return self.until is None or found.internal_date < self.until


async def rebuild(
    store: Store,
    imap: ImapPool,
    parser: ParserPool,
    addresses: Sequence[str] | None = None,
    *,
    extractor: ExtractPool | None = None,
    on_progress: Callable[[str, int, int], None] = lambda address, done, total: None,
    keep_days: int = Events().keep_days,
    announced_since: int | None = None,
    read: Callable[[str], Awaitable[None]] | None = None,
) -> int:
    """Rebuild inboxes. The sync engine must not run meanwhile.

    Args:
        addresses: of the inboxes (default: all).
        extractor: reads attachments; None: none is read.
        on_progress: called with (address, done, total) after each batch.
        keep_days: how long events are kept: older mail has no event.
        announced_since: mail received since then (µs) in a folder without a cursor was announced, although its event
            is not here; None: it was not.
        read: reads what is left to the sync (``Scanner.read``); None: the next start of the gateway does.

    Returns:
        The number of messages indexed.
    """
    inboxes = await store.read(unscoped_inboxes)
    if addresses is not None:
        inboxes = [one for one in inboxes if one.address in addresses]
    gate = asyncio.Semaphore(_AT_ONCE)
    unannounced = _Unannounced(now_us() - keep_days * 86_400_000_000, announced_since)

    async def one(inbox: Inbox) -> int:
        async with gate:
            done = await _Rebuild(store, imap, parser, extractor, inbox, unannounced).run(on_progress)
            if read is None:
                return done
            await read(inbox.address)
            return await store.read(partial(indexed_message_count, inbox_id=inbox.id))

    return sum(await asyncio.gather(*(one(inbox) for inbox in inboxes)))


class _Row(NamedTuple):
    """A message on the mail server, before it is read: when it was stored there (µs), where, and its octets."""

    stored_at: int
    folder: str
    uid: int
    size: int


class _Rebuild:
    """The rebuild of one inbox."""

    def __init__(
        self,
        store: Store,
        imap: ImapPool,
        parser: ParserPool,
        extractor: ExtractPool | None,
        inbox: Inbox,
        unannounced: _Unannounced,
    ) -> None:
        self._store, self._imap, self._parser, self._extractor = store, imap, parser, extractor
        self._inbox, self._unannounced = inbox, unannounced
        self._states: dict[str, FolderState] = {}
        self._ends: dict[str, int] = {}  # the UID from which on a folder is left to the sync
        self._unknown: set[str] = set()  # folders without a cursor
        self._changed: dict[ThreadId, int] = {}  # when threads had changed last, which no message says

    async def run(self, on_progress: Callable[[str, int, int], None]) -> int:
        """Returns the number of messages that were read."""
        address = self._inbox.address
        # the mail server must answer before anything is thrown away
        folders = await self._imap.run(address, fetch.list_folders)
        cursors = await self._store.write(self._take_cursors)
        rows: list[_Row] = []
        for folder in folders:
            if folder.role != "drafts":
                rows += await self._list(folder, cursors.get(folder.name))
        rows.sort()
        done = 0
        for batch in _batches(rows):
            await self._read(batch)
            done += len(batch)
            on_progress(address, done, len(rows))
        done += await self._index_outbox()
        await self._store.write(self._finish)
        return done

    def _take_cursors(self, tx: Tx) -> dict[str, Cursor]:
        """Delete every derived row of the inbox; how far its folders had been read."""
        cursors = apply.cursors_of(tx, self._inbox.id)
        self._changed = thread_change_times(tx, self._inbox.id)
        forget_inbox(tx, self._inbox.id)
        return cursors

    async def _list(self, folder: FolderState, cursor: Cursor | None) -> list[_Row]:
        """What is to be read of a folder."""
        name = folder.name
        now, rows = await self._imap.run(
            self._inbox.address, partial(fetch.overview, name=name, role=folder.role)
        )
        self._states[name] = now
        if cursor and cursor.uidvalidity == now.uidvalidity and cursor.uidnext > 1:
            self._ends[name] = min(cursor.uidnext, now.uidnext)
        else:
            self._ends[name] = now.uidnext
            self._unknown.add(name)
        return [_Row(stored_at, name, uid, size) for stored_at, uid, size in rows if uid < self._ends[name]]

    async def _read(self, batch: Sequence[_Row]) -> None:
        found: dict[tuple[str, int], Found] = {}
        for name in {row.folder for row in batch}:
            uids = [row.uid for row in batch if row.folder == name]
            fetched = await self._imap.run(
                self._inbox.address, partial(fetch.fetch_uids, name=name, uids=uids)
            )
            found |= {(name, message.uid): message for message in fetched}
        keys = [(row.folder, row.uid) for row in batch if (row.folder, row.uid) in found]
        present = [(name, found[name, uid]) for name, uid in keys]
        parsed = await self._parser.parse_many([message.raw for _, message in present])
        texts: dict[str, Extracted] = {}
        if self._extractor is not None:
            messages = [(message.raw, one) for (_, message), one in zip(present, parsed, strict=True)]
            tasks = await read_attachments(self._store, self._extractor, self._inbox, messages)
            for task in tasks.values():
                texts |= await task
        left = await self._store.write(partial(self._write, present=present, parsed=parsed, texts=texts))
        for name, uid in left:
            self._ends[name] = min(self._ends[name], uid)

    def _write(
        self,
        tx: Tx,
        present: Sequence[tuple[str, Found]],
        parsed: Sequence[ParsedMessage],
        texts: Texts,
    ) -> list[tuple[str, int]]:
        """Index a batch; returns (folder, UID) of what is left to the sync."""
        left: list[tuple[str, int]] = []
        arrivals = Arrivals(tx, self._inbox)
        for (name, found), one in zip(present, parsed, strict=True):
            state = self._states[name]
            folder_id = apply.save_folder(tx, self._inbox.id, state, 1, 0)
            copy = found.copy(folder_id, state)
            indexed = apply.index_one(tx, self._inbox, copy, one, texts, again=True)
            if indexed is None or name not in self._unknown or not self._unannounced.holds(found):
                continue
            arrival = arrivals.read(copy, one, indexed)
            if decide(arrival, self._inbox, self._unannounced.since).event is not None:
                remove_location(tx, folder_id, found.uid)
                apply.reconcile_locations(tx, self._inbox, [indexed.message_id])
                left.append((name, found.uid))
        return left

    async def _index_outbox(self) -> int:
        """Index what is filed nowhere, so that its octets are kept in the outbox: what sandbox keys sent, what the
        simulator answered them, and what is held until a person decides."""
        sends = await self._store.read(partial(sends_of_outbox, inbox_id=self._inbox.id))
        for message_id, test in sends:
            mime = await self._store.read(partial(mime_of, outbox_id=message_id))
            if mime is not None:
                parsed = await self._parser.parse(mime)
                index = partial(
                    index_from_outbox, inbox=self._inbox, message_id=message_id, parsed=parsed, test=test
                )
                await self._store.write(index)
        return len(sends)

    def _finish(self, tx: Tx) -> None:
        """Move the cursors to what was read; what came in since, and what is left to the sync, follows."""
        for state in self._states.values():
            apply.save_folder(tx, self._inbox.id, state, self._ends[state.name], state.modseq)
        for thread_id in indexed_thread_ids(tx, self._inbox.id):
            threads.refresh(tx, thread_id, self._changed.get(thread_id))
        forget_attachment_texts(tx, self._inbox.id)


def _batches(rows: Sequence[_Row]) -> list[list[_Row]]:
    batches: list[list[_Row]] = []
    octets = 0
    for row in rows:
        full = (
            not batches or len(batches[-1]) >= fetch.BATCH_MESSAGES or octets + row.size > fetch.BATCH_OCTETS
        )
        if full:
            batches.append([])
            octets = 0
        batches[-1].append(row)
        octets += row.size
    return batches
