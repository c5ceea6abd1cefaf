"""``postern rebuild``: throw away every derived row and read them all again from the mailboxes.

Messages are indexed in the order they came in (INTERNALDATE, then folder and UID), so threads grow as they
grew; ids come from the messages themselves (``store.index``), and the times they are listed under stay. Sandbox sends
are in no mailbox: the outbox has them.
The text of attachments that were read before is kept: their ids are digests of what they were read from.

What the sync had not read yet is left to it, and with that its events, its labels and the reports in it: each folder
is read up to its cursor. A folder without a cursor (a restored backup has none, nor does a rebuild that was killed) is
read to its end, but what in it is to be announced (``decide``) and was not is left to the sync, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from functools import partial

from gateway.extract.pool import ExtractPool
from gateway.extract.types import Extracted
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.inboxes import Inbox
from gateway.settings import Events
from gateway.store import threads
from gateway.store.engine import Store
from gateway.store.ids import now_us
from gateway.store.index import index_sandbox
from gateway.store.queries.arrivals import Arrivals
from gateway.store.queries.inboxes import unscoped_inboxes
from gateway.store.queries.locations import remove_location
from gateway.store.queries.mailbox_index import (
    forget_attachment_texts,
    forget_inbox,
    indexed_message_count,
    indexed_thread_ids,
    sandbox_send_ids,
)
from gateway.store.queries.outbox import mime_of
from gateway.store.transaction import Tx
from gateway.sync import apply, fetch
from gateway.sync.decide import decide
from gateway.sync.extraction import Texts, read_attachments
from gateway.sync.fetch import Cursor, FolderState, Found
from mailserver.imap import ImapPool


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
    concurrency: int = 4,
    keep_days: int = Events().keep_days,
    announced_since: int | None = None,
    read: Callable[[str], Awaitable[None]] | None = None,
) -> int:
    """Rebuild inboxes. The sync engine must not run meanwhile.

    Args:
        addresses: of the inboxes (default: all).
        extractor: reads attachments; None: none is read.
        on_progress: called with (address, done, total) after each batch.
        concurrency: how many inboxes are rebuilt at once.
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
    gate = asyncio.Semaphore(concurrency)
    unannounced = _Unannounced(now_us() - keep_days * 86_400_000_000, announced_since)

    async def one(inbox: Inbox) -> int:
        async with gate:
            done = await _rebuild_inbox(store, imap, parser, extractor, inbox, on_progress, unannounced)
            if read is None:
                return done
            await read(inbox.address)
            return await store.read(partial(indexed_message_count, inbox_id=inbox.id))

    return sum(await asyncio.gather(*(one(inbox) for inbox in inboxes)))


async def _rebuild_inbox(
    store: Store,
    imap: ImapPool,
    parser: ParserPool,
    extractor: ExtractPool | None,
    inbox: Inbox,
    on_progress: Callable[[str, int, int], None],
    unannounced: _Unannounced,
) -> int:
    address = inbox.address
    # the mail server must answer before anything is thrown away
    folders = await imap.run(address, fetch.list_folders)
    cursors = await store.write(partial(_take_cursors, inbox_id=inbox.id))
    everything: list[tuple[int, str, int, int]] = []
    states: dict[str, FolderState] = {}
    ends: dict[str, int] = {}  # the UID from which on a folder is left to the sync
    unknown: set[str] = set()  # folders without a cursor
    for folder in folders:
        if folder.role == "drafts":
            continue
        now, rows = await imap.run(address, partial(fetch.overview, name=folder.name, role=folder.role))
        states[folder.name] = now
        cursor = cursors.get(folder.name)
        if cursor and cursor.uidvalidity == now.uidvalidity and cursor.uidnext > 1:
            ends[folder.name] = min(cursor.uidnext, now.uidnext)
        else:
            ends[folder.name] = now.uidnext
            unknown.add(folder.name)
        everything += [(when, folder.name, uid, size) for when, uid, size in rows if uid < ends[folder.name]]
    everything.sort()
    done = 0
    for batch in _batches(everything):
        found: dict[tuple[str, int], Found] = {}
        for name in {name for _, name, _, _ in batch}:
            uids = [uid for _, where, uid, _ in batch if where == name]
            for one in await imap.run(address, partial(fetch.fetch_uids, name=name, uids=uids)):
                found[name, one.uid] = one
        present = [(name, found[name, uid]) for _, name, uid, _ in batch if (name, uid) in found]
        parsed = await parser.parse_many([one.raw for _, one in present])
        texts: dict[str, Extracted] = {}
        if extractor is not None:
            messages = [(one.raw, what) for (_, one), what in zip(present, parsed, strict=True)]
            for task in (await read_attachments(store, extractor, inbox, messages)).values():
                texts |= await task
        left = await store.write(
            partial(
                _write,
                inbox=inbox,
                states=states,
                present=present,
                parsed=parsed,
                texts=texts,
                unknown=unknown,
                unannounced=unannounced,
            )
        )
        for name, uid in left:
            ends[name] = min(ends[name], uid)
        done += len(batch)
        on_progress(address, done, len(everything))
    done += await _sandbox(store, parser, inbox)
    await store.write(partial(_finish, inbox=inbox, states=states, ends=ends))
    return done


def _take_cursors(tx: Tx, inbox_id: str) -> dict[str, Cursor]:
    """Delete every derived row of an inbox; how far its folders had been read."""
    cursors = apply.cursors_of(tx, inbox_id)
    forget_inbox(tx, inbox_id)
    return cursors


async def _sandbox(store: Store, parser: ParserPool, inbox: Inbox) -> int:
    """Index what sandbox keys sent: it was filed nowhere, so its octets are kept in the outbox."""
    sends = await store.read(partial(sandbox_send_ids, inbox_id=inbox.id))
    for message_id in sends:
        mime = await store.read(partial(mime_of, outbox_id=message_id))
        if mime is not None:
            parsed = await parser.parse(mime)
            await store.write(partial(index_sandbox, inbox=inbox, message_id=message_id, parsed=parsed))
    return len(sends)


def _write(
    tx: Tx,
    inbox: Inbox,
    states: dict[str, FolderState],
    present: list[tuple[str, Found]],
    parsed: Sequence[ParsedMessage],
    texts: Texts,
    unknown: Set[str],
    unannounced: _Unannounced,
) -> list[tuple[str, int]]:
    """Index a batch; returns (folder, UID) of what is left to the sync."""
    left: list[tuple[str, int]] = []
    arrivals = Arrivals(tx, inbox)
    for (name, found), one in zip(present, parsed, strict=True):
        state = states[name]
        folder_id = apply.save_folder(tx, inbox.id, state, 1, 0)
        copy = found.copy(folder_id, state)
        done = apply.index_one(tx, inbox, copy, one, texts, again=True)
        if done is None or name not in unknown or not unannounced.holds(found):
            continue
        if decide(arrivals.read(copy, one, done), inbox, unannounced.since).event is not None:
            remove_location(tx, folder_id, found.uid)
            apply.reconcile_locations(tx, inbox, [done.message_id])
            left.append((name, found.uid))
    return left


def _finish(tx: Tx, inbox: Inbox, states: dict[str, FolderState], ends: dict[str, int]) -> None:
    """Move the cursors to what was read; what came in since, and what is left to the sync, follows."""
    for state in states.values():
        apply.save_folder(tx, inbox.id, state, ends[state.name], state.modseq)
    for thread_id in indexed_thread_ids(tx, inbox.id):
        threads.refresh(tx, thread_id, now_us())
    forget_attachment_texts(tx, inbox.id)


def _batches(rows: list[tuple[int, str, int, int]]) -> list[list[tuple[int, str, int, int]]]:
    batches: list[list[tuple[int, str, int, int]]] = []
    octets = 0
    for row in rows:
        full = not batches or len(batches[-1]) >= fetch.BATCH_MESSAGES or octets + row[3] > fetch.BATCH_OCTETS
        if full:
            batches.append([])
            octets = 0
        batches[-1].append(row)
        octets += row[3]
    return batches
