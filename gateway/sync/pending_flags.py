"""Paying the mail server the flags it is owed (``store.pending_flags``).

Whoever owes pays at once when the message stands somewhere; what could not be paid then, or had no copy yet, is paid
at the end of a pass over the inbox.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.pending_flags import OwedCopy, owed_copies, settle
from gateway.store.transaction import Tx
from gateway.sync.fetch import flag_words
from gateway.sync.scan_slots import ScanImap
from mailserver.base import MailServerError
from mailserver.imap import Client, ImapPool

log = logging.getLogger("postern.sync")

_BATCH = 500

Write = Callable[[Callable[[Tx], None]], Awaitable[None]]
Paid = list[tuple[OwedCopy, tuple[str, ...]]]
"""Copies with the flags they bear now."""


async def pay(store: Store, imap: ImapPool | ScanImap, inbox: Inbox, write: Write | None = None) -> None:
    """Set and clear what an inbox is owed; what cannot be done now stays owed. Raises StoreDown, and
    what ``write`` raises (None: the store's own)."""
    copies = await store.quick_read(partial(owed_copies, inbox_id=inbox.id, most=_BATCH))
    if not copies:
        return
    try:
        paid = await imap.run(inbox.address, partial(_flag, copies=copies))
    except (MailServerError, IMAPClientError) as error:
        log.info("%d copies in %s do not bear their flags yet: %s", len(copies), inbox.address, error)
        return
    await (write or store.write)(partial(_settle, paid=paid))


def _flag(client: Client, copies: list[OwedCopy]) -> Paid:
    """Flag the copies that are where the index says, and read back what they bear then."""
    folders: dict[tuple[str, int], dict[int, OwedCopy]] = {}
    for copy in copies:
        folders.setdefault((copy.folder, copy.uidvalidity), {})[copy.uid] = copy
    paid: Paid = []
    for (name, validity), here in folders.items():
        if int(client.open(name).get(b"UIDVALIDITY") or 0) != validity:
            continue  # built anew: the pass reads it, and the next one pays
        groups: dict[tuple[str, str], list[int]] = {}
        for uid, copy in here.items():
            groups.setdefault((copy.added, copy.removed), []).append(uid)
        done = [uid for flags, uids in groups.items() if _store(client, *flags, uids) for uid in uids]
        for uid, flags in client.get_flags(done).items() if done else ():
            if uid in here:
                paid.append((here[uid], flag_words(flags)))
    return paid


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


def _settle(tx: Tx, paid: Paid) -> None:
    for copy, flags in paid:
        settle(tx, copy, flags)
