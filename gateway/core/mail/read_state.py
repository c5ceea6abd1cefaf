"""Read and unread threads.

A thread is unread as long as one of its messages is, hidden ones (spam, trash) apart; nothing else is kept. So what
a person reads in a mail client is read here, mail that comes in on a read thread makes it unread, and what we send
never does. The marks are on the mail server: no ``\\Seen`` on what came in, the keyword ``$NotSeen`` on what was sent,
for a thread that has no mail that came in. Getting a thread by the API marks nothing.
"""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.lookup import find_thread_and_inbox, require, require_own_test
from gateway.core.mail.relabel import Change, relabel
from gateway.records.ids import ThreadId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail
from gateway.store import index, threads
from gateway.store.labels import NOT_SEEN
from gateway.store.pending_flags import add_pending
from gateway.store.queries.messages import bearer_of_unread, items_of_thread, unread_mail_of_thread
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

UNREAD = "unread"
_AT_ONCE = 500  # a command line on the mail server has its limits


async def mark_thread(core: Core, scope: Scope, thread_ref: str, *, read: bool) -> None:
    """Make a thread read (all its messages) or unread (the last one that came in).

    On the mail server first, then here. Raises NotFound, Forbidden, Unavailable (nothing changed).
    """
    require(scope, "message_update")

    def choose(tx: Tx) -> tuple[Inbox, list[Mail]]:
        inbox, thread = find_thread_and_inbox(tx, scope, None, thread_ref)
        if scope.test:
            require_own_test(scope, items_of_thread(tx, thread.id), "thread")
        if read:
            return inbox, unread_mail_of_thread(tx, thread.id)
        return inbox, [] if thread.unread else bearer_of_unread(tx, thread.id)

    inbox, mail = await core.store.read(choose)
    change = Change(remove=[UNREAD]) if read else Change(add=[UNREAD])
    for start in range(0, len(mail), _AT_ONCE):
        await relabel(core, inbox, mail[start : start + _AT_ONCE], change)


def note_answered(tx: Tx, inbox: Inbox, thread_id: ThreadId) -> None:
    """Mark a thread read in the transaction that accepts an answer to it. Its flags on the mail server are pending
    (``store.pending_flags``)."""
    mail = unread_mail_of_thread(tx, thread_id)
    for one in mail:
        index.set_labels(tx, inbox, one.message.id, set(one.labels) - {UNREAD}, note=True)
        if one.message.direction == "inbound":
            add_pending(tx, inbox.id, one.message.id, add=["\\Seen"])
        else:
            add_pending(tx, inbox.id, one.message.id, remove=[NOT_SEEN])
    if mail:
        threads.refresh(tx, thread_id, now_us())
