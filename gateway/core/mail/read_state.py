"""Read and unread threads.

A thread is unread as long as one of its messages is, hidden ones (spam, trash) apart; nothing else is kept. So what
a person reads in a mail client is read here, mail that comes in on a read thread makes it unread, and what we send
never does. The marks stand on the mail server: no ``\\Seen`` on what came in, the keyword ``$NotSeen`` on what was
sent, for a thread that has nothing else to bear the wish. Reading a thread changes nothing.
"""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.lookup import find_inbox, find_thread, require, require_own_test
from gateway.core.mail.relabel import Change, add_labels_in_steps, relabel
from gateway.records.inboxes import Inbox
from gateway.store import index, threads
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.labels import NOT_SEEN
from gateway.store.pending_flags import owe
from gateway.store.scope import Scope

UNREAD = "unread"
_AT_ONCE = 500  # a command line on the mail server has its limits

_UNREAD_OF = (
    "SELECT message.* FROM message JOIN label ON label.message_id = message.id AND label.label = 'unread' "
    "WHERE message.thread_id = ? ORDER BY message.timestamp, message.seq"
)


async def mark_thread(core: Core, scope: Scope, thread_ref: str, *, read: bool) -> None:
    """Make a thread read (all its messages) or unread (the last one that came in).

    On the mail server first, then here. Raises NotFound, Forbidden, Unavailable (nothing changed).
    """
    require(scope, "message_update")

    def look(tx: Tx) -> tuple[Inbox, list[Row]]:
        thread = find_thread(tx, scope, None, thread_ref)
        inbox = find_inbox(tx, scope, thread["inbox_id"])
        if scope.test:
            held = tx.rows("SELECT test FROM message WHERE thread_id = ?", thread["id"])
            require_own_test(scope, held, "thread")
        if read:
            rows = tx.rows(_UNREAD_OF, thread["id"])
        elif thread["unread"]:
            rows = []
        else:
            rows = _bearer(tx, thread["id"])
        add_labels_in_steps(tx, rows)
        return inbox, rows

    inbox, rows = await core.store.read(look)
    change = Change(remove=[UNREAD]) if read else Change(add=[UNREAD])
    for start in range(0, len(rows), _AT_ONCE):
        await relabel(core, inbox, rows[start : start + _AT_ONCE], change)


def _bearer(tx: Tx, thread_id: str) -> list[Row]:
    """The message that makes a thread unread: the last that came in, else the last that was sent."""
    return tx.rows(
        "SELECT * FROM message WHERE thread_id = ? AND hidden = 0 "
        "ORDER BY CASE WHEN direction = 'inbound' THEN 0 ELSE 1 END, timestamp DESC, seq DESC LIMIT 1",
        thread_id,
    )


def note_answered(tx: Tx, inbox: Inbox, thread_id: str) -> None:
    """Mark a thread read in the transaction that accepts an answer to it. Its flags on the
    mail server are owed (``store.pending_flags``)."""
    rows = tx.rows(_UNREAD_OF, thread_id)
    add_labels_in_steps(tx, rows)
    for row in rows:
        index.set_labels(tx, inbox, row["id"], set(row["labels"]) - {UNREAD}, note=True)
        if row["direction"] == "inbound":
            owe(tx, inbox.id, row["id"], add=["\\Seen"])
        else:
            owe(tx, inbox.id, row["id"], remove=[NOT_SEEN])
    if rows:
        threads.refresh(tx, thread_id, now_us())
