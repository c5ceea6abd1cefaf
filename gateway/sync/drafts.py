"""Drafts that are gone from the Drafts folder, however they went: expunged, moved, their folder deleted, renamed or
made anew.

A draft is known by one copy on the mail server (UIDVALIDITY and UID). First the copies that the index knows are read,
then the mail server is asked which copies there are: a copy that was known before and is not there then is gone,
whatever was written or filed between the two.
"""

from __future__ import annotations

from functools import partial

from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.folders import Copy, CopyKey
from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.sync import fetch
from gateway.sync.apply import DraftSink
from gateway.sync.mailbox_ownership import Write
from gateway.sync.scan_slots import ScanImap
from mailserver.imap import Client, ImapPool


async def settle_drafts(
    store: Store, imap: ImapPool | ScanImap, parser: ParserPool, inbox: Inbox, drafts: DraftSink, write: Write
) -> int:
    """Remove the drafts whose copy is gone; a draft with another copy is known by that one from now on.

    Returns:
        How many drafts were removed.

    Raises:
        StoreDown, MailServerDown: nothing was removed; ask again.
    """
    known = await store.quick_read(partial(drafts.filed, inbox=inbox))
    if not known:
        return 0
    there = await imap.run(inbox.address, draft_copies)
    gone = known - {copy.key for copy in there}
    if not gone:
        return 0
    others: list[tuple[CopyKey, ParsedMessage]] = []
    for name in {copy.folder for copy in there}:
        uids = sorted(copy.uid for copy in there if copy.folder == name and copy.key not in known)
        for start in range(0, len(uids), fetch.BATCH_MESSAGES):
            batch = uids[start : start + fetch.BATCH_MESSAGES]
            validity, found = await imap.run(inbox.address, partial(_read, name=name, uids=batch))
            parsed = await parser.parse_many([one.raw for one in found])
            others += [((validity, one.uid), what) for one, what in zip(found, parsed, strict=True)]
    return await write(partial(drafts.settle, inbox=inbox, gone=gone, others=others))


def draft_copies(client: Client) -> list[Copy]:
    """Every message of the folders with the role drafts."""
    client.leave()  # a folder that another session deletes now must not stay selected
    copies: list[Copy] = []
    for name, role in fetch.folder_roles(client).items():
        if role != "drafts":
            continue
        opened = client.open(name, readonly=True)
        validity = int(opened[b"UIDVALIDITY"])
        if opened.get(b"EXISTS"):
            rows, _ = client.fetch_set("1:*", ["UID"])
            copies += [Copy(name, role, validity, uid) for uid in rows]
    return copies


def _read(client: Client, name: str, uids: list[int]) -> tuple[int, list[fetch.Found]]:
    """(UIDVALIDITY, what is there of these UIDs)."""
    opened = client.open(name, readonly=True)
    return int(opened[b"UIDVALIDITY"]), fetch.fetch_uids(client, name, uids)
