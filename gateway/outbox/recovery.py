"""Did our mail server take a message whose attempt has no recorded outcome? Looked up, not guessed.

Local delivery is asked recipient by recipient: the message is in the mailbox, or it is not. A Sent copy and a
submission are asked of the mail server's own :meth:`~mailserver.base.MailServer.was_submitted`. Who cannot be asked
about now stays in doubt, and is not tried until he could be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from imapclient.exceptions import IMAPClientError

from gateway.store.engine import Store
from gateway.store.queries.aliases import alias_targets, unscoped_alias
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.queries.outbox_claims import Job, Recipient
from gateway.store.queries.sent_messages import unscoped_has_received
from gateway.store.threads import ref_of
from gateway.store.transaction import Tx
from mailserver.addresses import names_of
from mailserver.base import Envelope, Hop, MailServer, MailServerDown, MailServerError, RecipientReply
from mailserver.imap import Client, ImapPool, UnsafeValue

FOUND = RecipientReply(250, "2.0.0", "already there when looked up")
_FOLDERS = ("INBOX", "Junk")


@dataclass(slots=True)
class LookUp:
    """What became clear about doubtful recipients, by id: who has the message, and why of others nothing did."""

    taken: set[int] = field(default_factory=set)
    unclear: dict[int, RecipientReply] = field(default_factory=dict)


async def look_up(
    store: Store,
    mail: MailServer,
    imap: ImapPool,
    job: Job,
    hop: Hop,
    envelope: Envelope,
    doubtful: Sequence[Recipient],
) -> LookUp:
    """Look for the message of each of ``doubtful``. Raises StoreDown.

    The caller waits a moment after the attempt ended, so that the mail server has finished what it was handed.
    """
    found = LookUp()
    # a Sent copy filed by an attempt of which the outcome is known proves nothing of a later one
    one_copy = hop.kind == "submission" and any(one.role == "sent" for one in doubtful)
    filed: bool | None = None
    for one in doubtful:
        try:
            if one_copy or one.role == "sent":
                if filed is None:
                    filed = await mail.was_submitted(envelope)
                there = filed
            else:
                there = await _delivered(store, imap, one.address, job.message_id)
        except (MailServerError, OSError, EOFError, IMAPClientError) as error:
            words = f"4.3.0 it may have it already, which cannot be looked up now: {error}"
            found.unclear[one.id] = RecipientReply(451, "4.3.0", words, "local", unknown=True)
            continue
        if there:
            found.taken.add(one.id)
    return found


async def _delivered(store: Store, imap: ImapPool, recipient: str, message_id: str) -> bool:
    """Whether every mailbox that ``recipient`` leads to has the message."""
    names = names_of(recipient)
    mailboxes = await store.read(lambda tx: _mailboxes(tx, names))
    for mailbox in mailboxes:
        if not await _has(store, imap, mailbox, message_id):
            return False
    if mailboxes:
        return True
    try:
        return await _has(store, imap, names[-1], message_id) if names else False
    except MailServerDown:
        return False  # no inbox of ours: nobody could ever check there, and the mail server says whether it exists


def _mailboxes(tx: Tx, names: Sequence[str]) -> list[str]:
    """The mailboxes that mail to an address reaches. ``names``: it, then without its tags."""
    for name in names:
        inbox = unscoped_inbox_at(tx, name)
        if inbox is not None and inbox.status != "deleting":
            return [name]
        if alias := unscoped_alias(tx, name):
            return [one.address for one in alias_targets(tx, alias.id)]
    catch_all = unscoped_alias(tx, "@" + names[0].rpartition("@")[2]) if names else None
    return [] if catch_all is None else [one.address for one in alias_targets(tx, catch_all.id)]


async def _has(store: Store, imap: ImapPool, address: str, message_id: str) -> bool:
    def known(tx: Tx) -> bool:
        # moved or filed by now, but seen by the sync
        return unscoped_has_received(tx, address, ref_of(message_id))

    def copy_is_there(client: Client) -> bool:
        for folder in _FOLDERS:
            if client.folder_exists(folder):
                client.open(folder, readonly=True)
                if client.find_message_id(message_id):
                    return True
        return False

    if await store.read(known):
        return True
    try:
        return await imap.run(address, copy_is_there)
    except UnsafeValue:
        return False
