"""Storing pending flags on the mail server (``store.pending_flags``).

Whatever notes them may store them at once; what could not be stored then, or had no copy yet, is stored at the end of a
scan of the mailbox.
"""

from __future__ import annotations

import logging
from functools import partial

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.pending_flags import PendingCopy, copies_with_pending, note_stored
from gateway.store.transaction import Tx
from gateway.sync.fetch import flag_words
from gateway.sync.mailbox_ownership import Write
from gateway.sync.scan_slots import ScanImap
from mailserver.base import MailServerError
from mailserver.imap import Client, ImapPool

log = logging.getLogger("postern.sync")

_BATCH = 500

Stored = list[tuple[PendingCopy, tuple[str, ...]]]
"""Copies with the flags they have now."""


async def store_flags(store: Store, imap: ImapPool | ScanImap, inbox: Inbox, write: Write) -> None:
    """Set and clear the pending flags of an inbox; what cannot be done now stays pending.

    Raises StoreDown, and what ``write`` raises.
    """
    copies = await store.quick_read(partial(copies_with_pending, inbox_id=inbox.id, most=_BATCH))
    if not copies:
        return
    try:
        stored = await imap.run(inbox.address, partial(_flag, copies=copies))
    except (MailServerError, IMAPClientError) as error:
        log.info("%d copies in %s do not have their flags yet: %s", len(copies), inbox.address, error)
        return
    await write(partial(_note_stored, stored=stored))


def _flag(client: Client, copies: list[PendingCopy]) -> Stored:
    """Flag the copies that are where the index says, and read back what they have then."""
    folders: dict[tuple[str, int], dict[int, PendingCopy]] = {}
    for copy in copies:
        folders.setdefault((copy.folder, copy.uidvalidity), {})[copy.uid] = copy
    stored: Stored = []
    for (name, validity), here in folders.items():
        if int(client.open(name).get(b"UIDVALIDITY") or 0) != validity:
            continue  # made anew: this scan reads it, and the next one stores the flags
        groups: dict[tuple[str, str], list[int]] = {}
        for uid, copy in here.items():
            groups.setdefault((copy.added, copy.removed), []).append(uid)
        done = [uid for flags, uids in groups.items() if _store(client, *flags, uids) for uid in uids]
        for uid, flags in client.get_flags(done).items() if done else ():
            if uid in here:
                stored.append((here[uid], flag_words(flags)))
    return stored


def _store(client: Client, added: str, removed: str, uids: list[int]) -> bool:
    """Set and clear flags; False when the server will not (it takes no more keywords, for one)."""
    try:
        if added:
            client.add_flags(uids, added.split(), silent=True)
        if removed:
            client.remove_flags(uids, removed.split(), silent=True)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        log.info("the mail server does not take the flags %s: %s", added or removed, error)
        return False
    return True


def _note_stored(tx: Tx, stored: Stored) -> None:
    for copy, flags in stored:
        note_stored(tx, copy, flags)
