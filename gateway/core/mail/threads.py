"""Threads: listing and reading. Answers are thread rows with ``labels`` (those of all messages) and
``attachments`` added. Relabelling is in ``labels_change``, deleting in ``removal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.lookup import find_inbox, find_thread, require
from gateway.core.mail.filter_sql import hidden_condition, thread_conditions
from gateway.core.mail.messages import WHOLE, add_labels, allowed, fill_bodies, reach, see, unauthenticated
from gateway.records.inboxes import Inbox
from gateway.store.engine import Row, Tx
from gateway.store.json_columns import load
from gateway.store.labels import HIDDEN
from gateway.store.listing import NEAR, Filter, Listing, Window, cut, keyset
from gateway.store.row_counts import total
from gateway.store.scope import Scope

MAX_MESSAGES = 500
"""Messages a thread answer holds at most; older ones follow by page token."""


def dress_threads(tx: Tx, rows: Sequence[Row]) -> None:
    """Give each thread row its sorted ``labels`` and its ``attachments``, with one query each."""
    if not rows:
        return
    by_id = {row["id"]: row for row in rows}
    for row in rows:
        row["labels"], row["attachments"] = [], []
    marks = ", ".join("?" * len(by_id))
    for one in tx.rows(
        "SELECT DISTINCT message.thread_id, label.label "  # noqa: S608
        "FROM message JOIN label ON label.message_id = message.id "
        f"WHERE message.thread_id IN ({marks}) ORDER BY label.label",
        *by_id,
    ):
        by_id[one["thread_id"]]["labels"].append(one["label"])
    for one in tx.rows(
        "SELECT thread_id, attachments_json FROM message "  # noqa: S608
        f"WHERE thread_id IN ({marks}) AND attachments_json <> '[]' ORDER BY timestamp, seq",
        *by_id,
    ):
        by_id[one["thread_id"]]["attachments"] += load(one["attachments_json"])


async def list_threads(
    core: Core, scope: Scope, inbox_ref: str | None, wanted: Filter, window: Window
) -> Listing[Row]:
    """Threads of an inbox (or with None of every inbox in reach), latest activity first."""
    require(scope, "message_read")
    wanted = allowed(scope, wanted)

    def read(tx: Tx) -> Listing[Row]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        where, args, ids = reach(tx, scope, inbox, "thread")
        more, values = thread_conditions(wanted)
        where, args = where + more, [*args, *values]
        position, at, order = keyset(window, "timestamp", "last_seq")
        rows = tx.rows(
            f"SELECT * FROM thread WHERE {where}{position} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            *args,
            *at,
            window.limit + 1,
            0 if window.position else window.offset,
        )
        rows, following = cut(rows, window, "timestamp", "last_seq")
        dress_threads(tx, rows)
        if wanted.plain:
            count = total(tx, "thread", ids, hidden=bool(wanted.shown))
        else:
            count = tx.value(f"SELECT count(*) FROM thread WHERE {where}", *args)  # noqa: S608
        return Listing(rows, count, following, unauthenticated(tx, scope, ids))

    short = inbox_ref is not None and window.offset < NEAR and wanted.plain
    return await (core.store.glance(read) if short else core.store.read(read))


async def get_thread(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    thread_ref: str,
    window: Window | None = None,
    *,
    include: frozenset[str] = HIDDEN,
) -> tuple[Row, Listing[Row]]:
    """A thread row and its whole messages, oldest first. ``include``: of those that lists leave out (``HIDDEN``
    labels), which to show.

    The window pages from the newest messages to the older ones (the default holds ``MAX_MESSAGES``).
    """
    require(scope, "message_read")
    window = window or Window(limit=MAX_MESSAGES)

    def read(tx: Tx) -> tuple[Inbox, Row, Listing[Row]]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        thread = find_thread(tx, scope, inbox, thread_ref)
        inbox = inbox or find_inbox(tx, scope, thread["inbox_id"])
        position, at, order = keyset(window, "message.timestamp", "message.seq")
        veiled, veils = hidden_condition(include, "message")
        rows = tx.rows(
            f"{WHOLE}message.thread_id = ?{veiled}{position} ORDER BY {order} LIMIT ?",
            thread["id"],
            *veils,
            *at,
            window.limit + 1,
        )
        rows, following = cut(rows, window, "timestamp", "seq")
        add_labels(tx, rows)
        seen: list[Any] = []
        for row in rows:
            try:
                see(scope, row)
            except NotFound:
                continue
            seen.append(row)
        dress_threads(tx, [thread])
        if not window.ascending:
            seen.reverse()
        return inbox, thread, Listing(seen, thread["message_count"], following)

    inbox, thread, listing = await core.store.read(read)
    for row in listing.rows:
        if row["truncated"]:
            await fill_bodies(core, inbox, row)
    return thread, listing
