"""Removing an inbox: after it no byte of its mail is left, no key, no event, no pending webhook, save the one that
says so (``inbox_events``).

The inbox is in state ``deleting`` until the very end, so that a crash anywhere is finished at the next start.
"""

from __future__ import annotations

from functools import partial

from gateway.core.context import Core
from gateway.core.inboxes.events import append_deleted
from gateway.records.inboxes import Inbox
from gateway.store.erase import erase_deleted
from gateway.store.queries.aliases import take_inbox_off_aliases
from gateway.store.queries.inbox_removal import remove_index, remove_some_messages, remove_what_acts
from gateway.store.queries.inboxes import remove_inbox
from gateway.store.transaction import Tx
from mailserver.base import REFUSED

_CHUNK = 1000
"""Messages a transaction: other writers wait for milliseconds and not for a whole mailbox."""


async def remove(core: Core, inbox: Inbox) -> None:
    """Remove an inbox whose row is in state ``deleting``. Raises MailServerError, StoreDown: call again."""
    # first what could still act: no webhook, send or draft leaves after this commit
    refused = await core.store.write(partial(_first, inbox=inbox))
    core.keys.forget()
    if refused:
        await core.mail.set_alias(inbox.address, [REFUSED])
    await core.mail.remove_mailbox(inbox.address)
    await core.imap.drop(inbox.address)
    while await core.store.write(partial(remove_some_messages, inbox_id=inbox.id, most=_CHUNK)):
        pass
    await core.store.write(partial(_last, core=core, inbox=inbox))
    await erase_deleted(core.store)


def _first(tx: Tx, inbox: Inbox) -> bool:
    """Whether the address is refused from now on."""
    remove_what_acts(tx, inbox.id)
    return take_inbox_off_aliases(tx, inbox)


def _last(tx: Tx, core: Core, inbox: Inbox) -> None:
    # once more: what was under way while the mailbox went may have written an event or a message
    remove_what_acts(tx, inbox.id)
    while remove_some_messages(tx, inbox.id, _CHUNK):
        pass
    remove_index(tx, inbox.id)
    if remove_inbox(tx, inbox.id):
        append_deleted(tx, core.events, inbox)
