"""Full-text search over messages and threads, per inbox or over every inbox in reach."""

from __future__ import annotations

from collections.abc import Collection

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import find_inbox, require
from gateway.core.mail.filter_sql import message_conditions
from gateway.core.mail.messages import ITEM, add_bodies, add_labels, allowed, reach
from gateway.core.mail.threads import dress_threads
from gateway.store.engine import Row, Tx
from gateway.store.listing import Filter, Listing, Window
from gateway.store.scope import Scope
from gateway.store.search import MAX_QUERY, Column, Order, search

_COLUMNS = ", ".join(f"message.{name.strip()}" for name in ITEM.split(","))
_MAX_THREADS = 2000


def check_query(query: str) -> str:
    """The query, trimmed. Raises Invalid for an empty or over-long one."""
    query = query.strip()
    if not query or len(query) > MAX_QUERY:
        raise Invalid(f"q takes 1 to {MAX_QUERY} characters", field="q", fix="give the words to look for")
    return query


async def search_messages(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    query: str,
    wanted: Filter,
    window: Window,
    order: Order = "rank",
    *,
    within: Collection[Column] = (),
    bodies: bool = False,
) -> Listing[Row]:
    """Messages that hold every word of ``query``, best first (or ``newest``, ``oldest``).

    ``within``: only in these columns. ``bodies``: with the texts that the index holds. Paging goes by offset:
    ``Listing.next`` is (offset, "").
    """
    require(scope, "message_read")
    query, wanted = check_query(query), allowed(scope, wanted)
    offset = window.position[0] if window.position else window.offset

    def read(tx: Tx) -> Listing[Row]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        where, args, _ = reach(tx, scope, inbox, "message")
        more, values = message_conditions(tx, wanted, inbox.id if inbox else None)
        rows, total = search(
            tx,
            query,
            columns=_COLUMNS,
            where=where + more,
            args=[*args, *values],
            order=order,
            limit=window.limit,
            offset=offset,
            within=within,
        )
        add_labels(tx, rows)
        if bodies:
            add_bodies(tx, rows)
        end = offset + len(rows)
        return Listing(rows, total, (end, "") if rows and end < total else None)

    return await core.store.read(read)


async def search_threads(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    query: str,
    wanted: Filter,
    window: Window,
    order: Order = "rank",
) -> Listing[Row]:
    """Threads with a message that holds every word, in the order of their best message.

    Looks at the best ``_MAX_THREADS`` messages.
    """
    require(scope, "message_read")
    query, wanted = check_query(query), allowed(scope, wanted)
    offset = window.position[0] if window.position else window.offset

    def read(tx: Tx) -> Listing[Row]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        where, args, _ = reach(tx, scope, inbox, "message")
        more, values = message_conditions(tx, wanted, inbox.id if inbox else None)
        rows, _ = search(
            tx,
            query,
            columns="message.thread_id",
            where=where + more,
            args=[*args, *values],
            order=order,
            limit=_MAX_THREADS,
        )
        ids = list(dict.fromkeys(row["thread_id"] for row in rows))
        some = ids[offset : offset + window.limit]
        marks = ", ".join("?" * len(some))
        by_id = (
            {row["id"]: row for row in tx.rows(f"SELECT * FROM thread WHERE id IN ({marks})", *some)}  # noqa: S608
            if some
            else {}
        )
        threads = [by_id[one] for one in some if one in by_id]
        dress_threads(tx, threads)
        end = offset + len(some)
        return Listing(threads, len(ids), (end, "") if some and end < len(ids) else None)

    return await core.store.read(read)
