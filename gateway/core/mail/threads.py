"""Listing and reading threads. Relabelling is in ``relabel``, deleting in ``delete``."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.context import Core
from gateway.core.lookup import find_inbox, find_thread_and_inbox, require
from gateway.core.mail.messages import is_visible, visible_filter, with_whole_texts
from gateway.records.inboxes import Inbox
from gateway.records.mail import ListedThread, Mail
from gateway.store.labels import HIDDEN
from gateway.store.listing import NEAR, Filter, Listing, Window
from gateway.store.queries import threads as queries
from gateway.store.queries.messages import page_of_thread
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MAX_MESSAGES = 500
"""Messages a thread answer holds at most; older ones follow by page token."""


async def list_threads(
    core: Core, scope: Scope, inbox_ref: str | None, wanted: Filter, window: Window
) -> Listing[ListedThread]:
    """Threads of an inbox (or with None of every inbox in reach), latest activity first.

    Raises NotFound, Forbidden.
    """
    require(scope, "message_read")
    wanted = visible_filter(scope, wanted)

    def read(tx: Tx) -> Listing[ListedThread]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        return queries.list_threads(tx, scope, inbox, wanted, window)

    short = inbox_ref is not None and window.offset < NEAR and wanted.plain
    return await (core.store.quick_read(read) if short else core.store.read(read))


async def get_thread(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    thread_ref: str,
    window: Window | None = None,
    *,
    include: frozenset[str] = HIDDEN,
) -> tuple[ListedThread, Listing[Mail]]:
    """A thread and its whole messages, oldest first. ``include``: of those that lists leave out (``HIDDEN``
    labels), which to show.

    The window pages from the newest messages to the older ones (the default holds ``MAX_MESSAGES``).
    Raises NotFound, Forbidden, Unavailable.
    """
    require(scope, "message_read")
    window = window or Window(limit=MAX_MESSAGES)

    def read(tx: Tx) -> tuple[Inbox, ListedThread, Listing[Mail]]:
        inbox, thread = find_thread_and_inbox(tx, scope, inbox_ref, thread_ref)
        page, following = page_of_thread(tx, thread.id, window, include)
        visible = [mail for mail in page if is_visible(scope, mail.labels)]
        if not window.ascending:
            visible.reverse()
        listed = queries.listed_threads(tx, [thread])[0]
        return inbox, listed, Listing(visible, thread.message_count, following)

    inbox, thread, listing = await core.store.read(read)
    whole = [
        await with_whole_texts(core, inbox, mail) if mail.message.truncated else mail for mail in listing.rows
    ]
    return thread, replace(listing, rows=whole)
