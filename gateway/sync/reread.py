"""Parsing again, at the end of a scan, what was indexed by its header alone (``store.reread``)."""

from __future__ import annotations

import logging
from functools import partial

from imapclient.exceptions import IMAPClientError

from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.ids import MESSAGE_ID
from gateway.records.inboxes import Inbox
from gateway.store import reread
from gateway.store.engine import Store
from gateway.sync.fetch import fetch_uids
from gateway.sync.mailbox_ownership import Write
from gateway.sync.scan_slots import ScanImap
from mailserver.base import MailServerError
from mailserver.imap import Client, ImapPool

log = logging.getLogger("postern.sync")

_AT_ONCE = 5  # a scan is not held up for long by mail that ends each parser process


async def read_again(
    store: Store,
    imap: ImapPool | ScanImap,
    parser: ParserPool,
    inbox: Inbox,
    write: Write,
    *,
    everything: bool,
) -> None:
    """Parse what is due, or with ``everything`` (after a start) whatever its time. Raises StoreDown, and what ``write``
    raises."""
    find = partial(reread.due, inbox_id=inbox.id, most=_AT_ONCE, everything=everything)
    for due in await store.quick_read(find):
        message_id, address = due.message_id, inbox.address
        name = MESSAGE_ID.public(message_id)
        raw = None
        if due.folder is not None and due.uid is not None:
            read = partial(_fetch, folder=due.folder, uid=due.uid, uidvalidity=due.uidvalidity)
            try:
                raw = await imap.run(address, read)
            except (MailServerError, IMAPClientError) as error:
                log.info("%s of %s is read again later: %s", name, address, error)
                return
        parsed = None if raw is None else await parser.parse(raw)
        if parsed is None or parsed.unread:
            await write(partial(reread.put_off, message_id=message_id, tries=due.tries))
        elif await write(partial(reread.replace, message_id=message_id, parsed=parsed)):
            log.info(
                "%s of %s could be read now, and is shown whole",
                name,
                address,
                extra={"inbox": address, "message_id": name},
            )


def _fetch(client: Client, folder: str, uid: int, uidvalidity: int | None) -> bytes | None:
    if int(client.open(folder, readonly=True).get(b"UIDVALIDITY") or 0) != uidvalidity:
        return None
    found = fetch_uids(client, folder, [uid])
    return found[0].raw if found else None
