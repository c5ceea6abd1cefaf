"""Full-text search over messages and threads, per inbox or over every inbox in reach."""

from __future__ import annotations

from collections.abc import Collection

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import find_inbox, require
from gateway.core.mail.messages import visible_filter
from gateway.records.mail import ListedMessage, ListedThread
from gateway.store.listing import Filter, Listing, Window
from gateway.store.queries import messages as queries
from gateway.store.queries import threads as thread_queries
from gateway.store.scope import Scope
from gateway.store.search import MAX_QUERY, Column, Order
from gateway.store.transaction import Tx

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
    texts: bool = False,
) -> Listing[ListedMessage]:
    """Messages that hold every word of ``query``, best first (or ``newest``, ``oldest``).

    ``within``: only in these columns. ``texts``: with those that the index holds. Paging goes by offset:
    ``Listing.next`` is (offset, "").
    """
    require(scope, "message_read")
    query, wanted = check_query(query), visible_filter(scope, wanted)
    offset = window.position[0] if window.position else window.offset

    def read(tx: Tx) -> Listing[ListedMessage]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        found, total = queries.search_messages(
            tx,
            scope,
            inbox,
            query,
            wanted,
            order,
            limit=window.limit,
            offset=offset,
            within=within,
            texts=texts,
        )
        end = offset + len(found)
        return Listing(found, total, (end, "") if found and end < total else None)

    return await core.store.read(read)


async def search_threads(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    query: str,
    wanted: Filter,
    window: Window,
    order: Order = "rank",
) -> Listing[ListedThread]:
    """Threads with a message that holds every word, in the order of their best message.

    Looks at the best ``_MAX_THREADS`` messages.
    """
    require(scope, "message_read")
    query, wanted = check_query(query), visible_filter(scope, wanted)
    offset = window.position[0] if window.position else window.offset

    def read(tx: Tx) -> Listing[ListedThread]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        ids = thread_queries.search_threads(tx, scope, inbox, query, wanted, order, most=_MAX_THREADS)
        some = ids[offset : offset + window.limit]
        end = offset + len(some)
        following = (end, "") if some and end < len(ids) else None
        return Listing(thread_queries.threads_with_ids(tx, some), len(ids), following)

    return await core.store.read(read)
