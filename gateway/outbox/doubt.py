"""After a crash: did our mail server take a message whose attempt has no recorded outcome? Looked up, not guessed.

Local delivery is asked recipient by recipient: the message stands in the mailbox, or it does not. A Sent copy and
a submission are asked of the mail server's own :meth:`~mailserver.base.MailServer.was_submitted`.
"""

from __future__ import annotations

from collections.abc import Sequence

from imapclient.exceptions import IMAPClientError

from gateway.outbox.queue import Job, Recipient
from gateway.store.engine import Store, Tx
from gateway.store.threads import ref_of
from mailserver.addresses import split_recipient
from mailserver.base import Envelope, Hop, MailServer, MailServerDown, RecipientReply
from mailserver.imap import Client, ImapPool, UnsafeValue

FOUND = RecipientReply(250, "2.0.0", "already there when looked up after a restart")
_FOLDERS = ("INBOX", "Junk")


async def taken_already(
    store: Store,
    mail: MailServer,
    imap: ImapPool,
    job: Job,
    hop: Hop,
    envelope: Envelope,
    doubtful: Sequence[Recipient],
) -> set[int]:
    """The ids of those ``doubtful`` recipients that have the message. Raises MailServerDown: ask again later.

    The caller waits a moment after the start of the process, so that the mail server has finished what the dead
    one had handed over.
    """
    taken: set[int] = set()
    for one in doubtful:
        if hop.kind == "submission" or one.role == "sent":
            there = await _filed(mail, envelope)
        else:
            there = await _stands(store, imap, one.address, job.message_id)
        if there:
            taken.add(one.id)
    return taken


async def _filed(mail: MailServer, envelope: Envelope) -> bool:
    try:
        return await mail.was_submitted(envelope)
    except (OSError, EOFError, UnsafeValue, IMAPClientError) as error:
        raise MailServerDown(f"cannot look for the Sent copy: {error}") from error


async def _stands(store: Store, imap: ImapPool, recipient: str, message_id: str) -> bool:
    address, _ = split_recipient(recipient)

    def known(tx: Tx) -> bool:
        # moved or filed by now, but seen by the sync
        return bool(
            tx.value(
                "SELECT 1 FROM message JOIN inbox ON inbox.id = message.inbox_id "
                "WHERE inbox.address = ? AND message.rfc_ref = ? AND message.direction = 'inbound' LIMIT 1",
                address,
                ref_of(message_id),
            )
        )

    def look(client: Client) -> bool:
        for folder in _FOLDERS:
            if client.folder_exists(folder):
                client.open(folder, readonly=True)
                if client.find_message_id(message_id):
                    return True
        return False

    if await store.read(known):
        return True
    try:
        return await imap.run(address, look)
    except UnsafeValue:
        return False
    except IMAPClientError as error:
        raise MailServerDown(f"cannot look into {address}: {error}") from error
