"""Paying the mail server the ``\\Seen`` it is owed.

An answer marks its thread read in the transaction that accepts it (``core.read_state``); the flags on the mail
server follow. Until then each message has a row in ``seen_owed``, which the index reads as the flag itself, so a
pass that still finds the old flags undoes nothing. Whoever marked pays at once; what could not be paid then is
paid by the next pass over the inbox.
"""

from __future__ import annotations

import logging
from functools import partial

from imapclient.exceptions import IMAPClientError

from gateway.store.engine import Row, Store, Tx
from gateway.store.labels import NOT_SEEN
from gateway.sync.fetch import flag_words
from mailserver.base import MailServerError
from mailserver.imap import Client, ImapPool

log = logging.getLogger("postern.sync")

_BATCH = 500

Paid = list[tuple[Row, tuple[str, ...]]]
"""Locations with the flags they bear now."""


async def pay(store: Store, imap: ImapPool, inbox: Row) -> bool:
    """Set the flags that an inbox is owed; answers whether all could be. Raises StoreDown."""
    rows = await store.read(partial(_owed, inbox_id=inbox["id"]))
    if not rows:
        return True
    try:
        paid = await imap.run(inbox["address"], partial(_flag, rows=rows))
    except (MailServerError, IMAPClientError) as error:
        log.info("%d messages of %s are read, but not yet so marked: %s", len(rows), inbox["address"], error)
        return False
    await store.write(partial(_settle, paid=paid))
    return len(paid) == len(rows)


def _owed(tx: Tx, inbox_id: str) -> list[Row]:
    return tx.rows(
        "SELECT location.id, location.uid, location.message_id, folder.name, folder.uidvalidity, "
        "message.direction FROM seen_owed JOIN location ON location.message_id = seen_owed.message_id "
        "JOIN folder ON folder.id = location.folder_id JOIN message ON message.id = location.message_id "
        "WHERE seen_owed.inbox_id = ? ORDER BY location.id LIMIT ?",
        inbox_id,
        _BATCH,
    )


def _flag(client: Client, rows: list[Row]) -> Paid:
    """Mark what stands where the index says, and read back what it bears then."""
    folders: dict[tuple[str, int], dict[int, Row]] = {}
    for row in rows:
        folders.setdefault((row["name"], row["uidvalidity"]), {})[row["uid"]] = row
    paid: Paid = []
    for (name, validity), here in folders.items():
        if int(client.open(name).get(b"UIDVALIDITY") or 0) != validity:
            continue  # built anew: the pass reads it, and the next one pays
        inbound = [uid for uid, row in here.items() if row["direction"] == "inbound"]
        outbound = [uid for uid, row in here.items() if row["direction"] != "inbound"]
        if inbound:
            client.add_flags(inbound, [b"\\Seen"], silent=True)
        if outbound:
            client.remove_flags(outbound, [NOT_SEEN], silent=True)
        for uid, flags in client.get_flags(list(here)).items():
            if uid in here:
                paid.append((here[uid], flag_words(flags)))
    return paid


def _settle(tx: Tx, paid: Paid) -> None:
    for row, flags in paid:
        tx.run("UPDATE location SET flags = ? WHERE id = ?", " ".join(flags), row["id"])
        tx.run("DELETE FROM seen_owed WHERE message_id = ?", row["message_id"])
