"""Removing an inbox: after it no byte of its mail is left, no key, no event, no pending webhook, save the one that
says so (``inbox_events``).

The row stands in state ``deleting`` until the very end, so that a crash anywhere is finished at the next start.
"""

from __future__ import annotations

from functools import partial

from gateway.core.context import Core
from gateway.core.inboxes.events import tell_deleted
from gateway.records.inboxes import Inbox
from gateway.store.engine import Tx
from gateway.store.erase import erase_deleted
from gateway.store.queries.aliases import take_inbox_off_aliases
from gateway.store.queries.inboxes import remove_inbox
from mailserver.base import REFUSED

_CHUNK = 1000

# attempts and deliveries first: they are found through rows that go later
_STATEMENTS = (
    "DELETE FROM attempt WHERE event_id IN (SELECT id FROM event WHERE inbox_id = ?)",
    "DELETE FROM delivery WHERE inbox_id = ?",
    "DELETE FROM delivery WHERE webhook_id IN (SELECT id FROM webhook WHERE inbox_id = ?)",
    "DELETE FROM webhook WHERE inbox_id = ?",
    "DELETE FROM api_key WHERE inbox_id = ?",
    "DELETE FROM event WHERE inbox_id = ?",
    "DELETE FROM draft_file WHERE draft_id IN (SELECT id FROM draft WHERE inbox_id = ?)",
    "DELETE FROM draft WHERE inbox_id = ?",
    "DELETE FROM outbox_recipient WHERE outbox_id IN (SELECT id FROM outbox WHERE inbox_id = ?)",
    "DELETE FROM outbox WHERE inbox_id = ?",
    "DELETE FROM list_entry WHERE inbox_id = ?",
    "DELETE FROM thread_tombstone WHERE inbox_id = ?",
    "DELETE FROM sent_alias WHERE inbox_id = ?",
    "DELETE FROM reputation WHERE subject = ?",
    "DELETE FROM flags_owed WHERE inbox_id = ?",
    "DELETE FROM listing_time WHERE inbox_id = ?",
)
_DERIVED = (
    "DELETE FROM location WHERE inbox_id = ?",
    "DELETE FROM label WHERE inbox_id = ?",
    "DELETE FROM label_change WHERE inbox_id = ?",
    "DELETE FROM folder WHERE inbox_id = ?",
    "DELETE FROM thread_ref WHERE inbox_id = ?",
    "DELETE FROM thread WHERE inbox_id = ?",
    "DELETE FROM row_total WHERE inbox_id = ?",
    "DELETE FROM attachment_text WHERE inbox_id = ?",
    "DELETE FROM reread WHERE inbox_id = ?",
)


async def remove(core: Core, inbox: Inbox) -> None:
    """Remove an inbox whose row is in state ``deleting``. Raises MailServerError, StoreDown: call again."""
    # first what could still act: no webhook, send or draft leaves after this commit
    refused = await core.store.write(partial(_first, inbox=inbox))
    core.keys.forget()
    if refused:
        await core.mail.set_alias(inbox.address, [REFUSED])
    await core.mail.remove_mailbox(inbox.address)
    await core.imap.drop(inbox.address)
    while await core.store.write(partial(_some_messages, inbox_id=inbox.id)):
        pass
    await core.store.write(partial(_last, core=core, inbox=inbox))
    await erase_deleted(core.store)


def _first(tx: Tx, inbox: Inbox) -> bool:
    """Whether the address is refused from now on."""
    _run(tx, _STATEMENTS, inbox.id)
    return take_inbox_off_aliases(tx, inbox)


def _run(tx: Tx, statements: tuple[str, ...], inbox_id: str) -> None:
    for statement in statements:
        tx.run(statement, inbox_id)


def _some_messages(tx: Tx, inbox_id: str) -> int:
    """A bounded bite, so that other writers wait for milliseconds and not for a whole mailbox."""
    rows = tx.rows("SELECT seq, id FROM message WHERE inbox_id = ? LIMIT ?", inbox_id, _CHUNK)
    for row in rows:
        tx.run("DELETE FROM message_search WHERE rowid = ?", row["seq"])
        tx.run("DELETE FROM message_body WHERE message_id = ?", row["id"])
        tx.run("DELETE FROM attachment_text WHERE message_id = ?", row["id"])
        tx.run("DELETE FROM message WHERE seq = ?", row["seq"])
    return len(rows)


def _last(tx: Tx, core: Core, inbox: Inbox) -> None:
    inbox_id = inbox.id
    # once more: what was under way while the mailbox went may have written an event or a message
    _run(tx, _STATEMENTS, inbox_id)
    while _some_messages(tx, inbox_id):
        pass
    _run(tx, _DERIVED, inbox_id)
    if remove_inbox(tx, inbox_id):
        tell_deleted(tx, core.events, inbox)
