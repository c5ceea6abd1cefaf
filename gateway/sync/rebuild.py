"""``postern rebuild``: throw away every derived row and read them all again from the mailboxes.

Messages are indexed in the order they came in (INTERNALDATE, then folder and UID), so threads grow as they
grew; ids come from the messages themselves (DESIGN §1.2), and the times they are listed under stay. Sandbox sends
are in no mailbox: the outbox has them. No event is announced again. The text of attachments that were read before is
kept: their ids are digests of what they were read from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gateway.extract.pool import ExtractPool
from gateway.extract.types import Extracted
from gateway.mime.types import ParsedMessage
from gateway.mime.worker import ParserPool
from gateway.outbox.queue import mime_of
from gateway.store import models, threads
from gateway.store.engine import Row, Store, Tx
from gateway.store.ids import now_us
from gateway.store.index import index_sandbox
from gateway.sync import apply, fetch
from gateway.sync.extraction import Texts, read_attachments
from gateway.sync.fetch import FolderState, Found
from mailserver.imap import ImapPool


async def rebuild(
    store: Store,
    imap: ImapPool,
    parser: ParserPool,
    addresses: Sequence[str] | None = None,
    *,
    extractor: ExtractPool | None = None,
    on_progress: Callable[[str, int, int], None] = lambda address, done, total: None,
    concurrency: int = 4,
) -> int:
    """Rebuild these inboxes (default: all); answers the number of messages indexed.

    ``on_progress(address, done, total)`` is called after each batch. The sync engine must not run meanwhile.
    """
    inboxes = await store.read(
        lambda tx: tx.rows("SELECT * FROM inbox WHERE status <> 'deleting' ORDER BY id")
    )
    if addresses is not None:
        inboxes = [one for one in inboxes if one["address"] in addresses]
    gate = asyncio.Semaphore(concurrency)

    async def one(inbox: Row) -> int:
        async with gate:
            return await _rebuild_inbox(store, imap, parser, extractor, inbox, on_progress)

    return sum(await asyncio.gather(*(one(inbox) for inbox in inboxes)))


async def _rebuild_inbox(
    store: Store,
    imap: ImapPool,
    parser: ParserPool,
    extractor: ExtractPool | None,
    inbox: Row,
    on_progress: Callable[[str, int, int], None],
) -> int:
    address = inbox["address"]
    # the mail server must answer before anything is thrown away
    folders = await imap.run(address, fetch.list_folders)
    times = await store.read(partial(_times, inbox_id=inbox["id"]))
    await store.write(partial(forget_inbox, inbox_id=inbox["id"]))
    everything: list[tuple[int, str, int, int]] = []
    states: dict[str, FolderState] = {}
    for folder in folders:
        if folder.role == "drafts":
            continue
        now, rows = await imap.run(address, partial(fetch.overview, name=folder.name))
        states[folder.name] = FolderState(folder.name, folder.role, now.uidvalidity, now.uidnext, now.modseq)
        everything += [(when, folder.name, uid, size) for when, uid, size in rows]
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
        await store.write(
            partial(
                _write, inbox=inbox, states=states, present=present, parsed=parsed, texts=texts, times=times
            )
        )
        done += len(batch)
        on_progress(address, done, len(everything))
    done += await _sandbox(store, parser, inbox, times)
    await store.write(partial(_finish, inbox=inbox, states=states))
    return done


def _times(tx: Tx, inbox_id: str) -> dict[str, int]:
    """What each message is listed under, µs by id."""
    rows = tx.rows("SELECT id, timestamp FROM message WHERE inbox_id = ?", inbox_id)
    return {row["id"]: row["timestamp"] for row in rows}


async def _sandbox(store: Store, parser: ParserPool, inbox: Row, times: Mapping[str, int]) -> int:
    """Index what sandbox keys sent: it was filed nowhere, so its octets are kept in the outbox."""
    kept = "SELECT id FROM outbox WHERE inbox_id = ? AND state = 'done' AND mime IS NOT NULL ORDER BY id"
    rows = await store.read(lambda tx: tx.rows(kept, inbox["id"]))
    for row in rows:
        mime = await store.read(partial(mime_of, outbox_id=row["id"]))
        if mime is not None:
            parsed = await parser.parse(mime)
            await store.write(
                partial(index_sandbox, inbox=inbox, message_id=row["id"], parsed=parsed, times=times)
            )
    return len(rows)


def forget_inbox(tx: Tx, inbox_id: str) -> None:
    """Delete every derived row of an inbox."""
    tx.run("DELETE FROM message_search WHERE rowid IN (SELECT seq FROM message WHERE inbox_id = ?)", inbox_id)
    tx.run(
        "DELETE FROM message_body WHERE message_id IN (SELECT id FROM message WHERE inbox_id = ?)", inbox_id
    )
    for model in models.DERIVED:
        name = model._meta.table_name
        if name not in ("message_body", "attachment_text"):  # texts are read once: see _finish
            tx.run(f'DELETE FROM "{name}" WHERE inbox_id = ?', inbox_id)  # noqa: S608


def _write(
    tx: Tx,
    inbox: Row,
    states: dict[str, FolderState],
    present: list[tuple[str, Found]],
    parsed: Sequence[ParsedMessage],
    texts: Texts,
    times: Mapping[str, int],
) -> None:
    for (name, found), one in zip(present, parsed, strict=True):
        state = states[name]
        folder_id = apply.save_folder(tx, inbox["id"], state, 1, 0)
        apply.index_one(tx, inbox, folder_id, state, found, one, texts, times)


def _finish(tx: Tx, inbox: Row, states: dict[str, FolderState]) -> None:
    """Move the cursors to what was read; what came in since is above them."""
    for state in states.values():
        apply.save_folder(tx, inbox["id"], state, state.uidnext, state.modseq)
    for row in tx.rows("SELECT id FROM thread WHERE inbox_id = ?", inbox["id"]):
        threads.refresh(tx, row["id"], now_us())
    tx.run(
        "DELETE FROM attachment_text WHERE inbox_id = ? AND message_id NOT IN "
        "(SELECT id FROM message WHERE inbox_id = ?)",
        inbox["id"],
        inbox["id"],
    )


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
