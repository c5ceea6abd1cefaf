"""Threads of an inbox and of every inbox: list, search, get, label, delete."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.api.agentmail.filters import SearchQuery, ThreadQuery, addresses_of, page_of, read_filter
from gateway.api.agentmail.labels_body import LabelsBody, in_order
from gateway.api.agentmail.views import (
    ThreadItem,
    ThreadUpdated,
    ThreadView,
    message_view,
    thread_fields,
    thread_item,
)
from gateway.api.paging import PageQuery, read_paging, token
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.mail import delete as removal
from gateway.core.mail import search, threads
from gateway.core.mail.relabel import change_thread
from gateway.store.listing import Window

table = Table("Threads")

_INBOX = "/inboxes/{inbox_id}/threads"
_ALL = "/threads"


@table.get(_INBOX, rows=("threads", ThreadItem), also=[_ALL], access=reads("message_read"))
async def list_threads(call: Call[NoBody, ThreadQuery]) -> dict[str, Any]:
    """List threads, latest activity first."""
    paging = read_paging(call.query, call.core.secret)
    wanted = read_filter(call.query)
    listing = await threads.list_threads(
        call.core, call.scope, call.ids.get("inbox_id"), wanted, paging.window
    )
    return await page_of(call, listing, paging, "threads", thread_item)


@table.get(
    f"{_INBOX}/search", rows=("threads", ThreadItem), also=[f"{_ALL}/search"], access=reads("message_read")
)
async def search_threads(call: Call[NoBody, SearchQuery]) -> dict[str, Any]:
    """Search threads by words of their messages, best match first."""
    paging = read_paging(call.query, call.core.secret)
    listing = await search.search_threads(
        call.core,
        call.scope,
        call.ids.get("inbox_id"),
        call.query.words,
        read_filter(call.query),
        paging.window,
        call.query.order,
    )
    return await page_of(call, listing, paging, "threads", thread_item)


@table.get(f"{_INBOX}/{{thread_id}}", also=[f"{_ALL}/{{thread_id}}"], access=reads("message_read"))
async def get_thread(call: Call[NoBody, PageQuery]) -> ThreadView:
    """Get a thread with all its messages, oldest first.

    With ``limit`` the first page has the newest messages; each page is oldest first.
    """
    paging = read_paging(call.query, call.core.secret)
    window = paging.window
    if call.query.limit is None and call.query.page_size is None and window.position is None:
        window = Window(threads.MAX_MESSAGES, ascending=False)
    thread, listing = await threads.get_thread(
        call.core, call.scope, call.ids.get("inbox_id"), call.ids["thread_id"], window
    )
    addresses = await addresses_of(call, [thread])
    return ThreadView(
        **thread_fields(thread, addresses),
        messages=[message_view(one, addresses) for one in listing.rows],
        count=len(listing.rows),
        limit=window.limit,
        next_page_token=token(listing.next, window.ascending, call.core.secret)
        if listing.next
        else msgspec.UNSET,
    )


@table.patch(
    f"{_INBOX}/{{thread_id}}", also=[f"{_ALL}/{{thread_id}}"], access=changes("message_update", test="own")
)
async def update_thread(call: Call[LabelsBody, NoQuery]) -> ThreadUpdated:
    """Change the labels of every message of a thread."""
    thread, labels = await change_thread(
        call.core, call.scope, call.ids.get("inbox_id"), call.ids["thread_id"], call.body.change()
    )
    return ThreadUpdated(thread.public_id, in_order(labels, call.body.labels))


@table.delete(
    f"{_INBOX}/{{thread_id}}", also=[f"{_ALL}/{{thread_id}}"], access=changes("message_delete", test="own")
)
async def delete_thread(call: Call[NoBody, NoQuery]) -> None:
    """Delete a thread and all its messages."""
    await removal.delete_thread(call.core, call.scope, call.ids.get("inbox_id"), call.ids["thread_id"])
