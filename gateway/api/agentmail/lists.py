"""Allow and block lists, of the organization, a pod or an inbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from gateway.api.agentmail.manage_views import ListEntryView, entry_view
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.inboxes import list_entries
from gateway.records.ids import InboxId
from gateway.records.lists import ListEntry

table = Table("lists")


class CreateEntry(msgspec.Struct):
    """A new entry of a list."""

    entry: str
    reason: str | None = None


_LIST = "/lists/{direction}/{type}"
_ENTRY = _LIST + "/{entry}"


def _also(path: str) -> list[str]:
    return [f"/pods/{{pod_id}}{path}", f"/inboxes/{{inbox_id}}{path}"]


def _which(call: Call[Any, Any]) -> dict[str, Any]:
    return {
        "direction": call.ids["direction"],
        "list_type": call.ids["type"],
        "pod": call.ids.get("pod_id"),
        "inbox": call.ids.get("inbox_id"),
    }


@table.post(_LIST, status=201, also=_also(_LIST), access=changes("list_entry_create"))
async def add_entry(call: Call[CreateEntry, NoQuery]) -> ListEntryView:
    """Add an address or a domain to a list; ``*.example.com`` is that domain and all below it."""
    made, new = await list_entries.add(
        call.core, call.scope, entry=call.body.entry, reason=call.body.reason, **_which(call)
    )
    if not new:
        call.status = 200
    return entry_view(made, await _addresses(call, [made]))


@table.get(_LIST, rows=("entries", ListEntryView), also=_also(_LIST), access=reads("list_entry_read"))
async def list_list(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List the entries of a list, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await list_entries.list_entries(call.core, call.scope, window=paging.window, **_which(call))
    view = partial(entry_view, addresses=await _addresses(call, found.rows))
    return answer(call, found, paging, "entries", view)


@table.get(_ENTRY, also=_also(_ENTRY), access=reads("list_entry_read"))
async def get_entry(call: Call[NoBody, NoQuery]) -> ListEntryView:
    """Get an entry of a list."""
    entry = await list_entries.get(call.core, call.scope, entry=call.ids["entry"], **_which(call))
    return entry_view(entry, await _addresses(call, [entry]))


@table.delete(_ENTRY, also=_also(_ENTRY), access=changes("list_entry_delete"))
async def delete_entry(call: Call[NoBody, NoQuery]) -> None:
    """Remove an entry from a list."""
    await list_entries.delete(call.core, call.scope, entry=call.ids["entry"], **_which(call))


async def _addresses(call: Call[Any, Any], entries: Iterable[ListEntry]) -> Mapping[InboxId, str]:
    return await call.core.addresses.of(call.core.store, [one.inbox_id for one in entries])
