"""Allow and block lists: which addresses and domains an inbox may write to, hear from, answer."""

from __future__ import annotations

import itertools

from gateway.core.address_entries import check_entry, spelled
from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.text import clean_text
from gateway.records.lists import Action, Direction, ListEntry
from gateway.store.listing import Listing, Window
from gateway.store.queries import list_entries as queries
from gateway.store.queries.list_entries import ListOwner, drop_mode, find_entry, put_entry, remove_entry
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_DIRECTIONS: tuple[Direction, ...] = ("send", "receive", "reply")
_ACTIONS: tuple[Action, ...] = ("allow", "block")


def check_list(direction: str, list_type: str) -> tuple[Direction, Action]:
    """The list of this name. Raises NotFound unless there is such a list."""
    for one, action in itertools.product(_DIRECTIONS, _ACTIONS):
        if (one, action) == (direction, list_type):
            return one, action
    raise NotFound(
        f"there is no list {direction[:40]}/{list_type[:40]}",
        fix="use /lists/{send|receive|reply}/{allow|block}",
    )


def owner_of(tx: Tx, scope: Scope, direction: Direction, pod: str | None, inbox: str | None) -> ListOwner:
    """Whose list a call means. Raises NotFound, Forbidden."""
    pod_id = find_pod(tx, scope, pod).id if pod is not None else scope.pod
    inbox_id = None
    if inbox is not None or scope.inbox:
        row = find_inbox(tx, scope, inbox or scope.inbox or "")
        inbox_id, pod_id = row.id, row.pod_id
    return ListOwner(scope.organization, pod_id, inbox_id, direction)


async def add(
    core: Core,
    scope: Scope,
    direction: str,
    list_type: str,
    entry: str,
    *,
    reason: str | None = None,
    pod: str | None = None,
    inbox: str | None = None,
) -> tuple[ListEntry, bool]:
    """Put an entry on a list; answers it and whether it is new."""
    require(scope, "list_entry_create")
    way, action = check_list(direction, list_type)
    text, kind = check_entry(entry)
    reason = clean_text(reason, "reason", 1000)

    def write(tx: Tx) -> tuple[ListEntry, bool]:
        owner = owner_of(tx, scope, way, pod, inbox)
        made, new = put_entry(tx, owner, action, text, kind, reason)
        if new and action == "allow":
            # this allow list is meant to be complete, whatever a mode said before
            drop_mode(tx, owner, "none")
        return made, new

    return await core.store.write(write)


async def list_entries(
    core: Core,
    scope: Scope,
    direction: str,
    list_type: str,
    window: Window,
    *,
    pod: str | None = None,
    inbox: str | None = None,
) -> Listing[ListEntry]:
    """The entries of one list, of exactly that scope."""
    require(scope, "list_entry_read")
    way, action = check_list(direction, list_type)

    def read(tx: Tx) -> Listing[ListEntry]:
        return queries.list_entries(tx, owner_of(tx, scope, way, pod, inbox), action, window)

    return await core.store.read(read)


async def get(
    core: Core,
    scope: Scope,
    direction: str,
    list_type: str,
    entry: str,
    *,
    pod: str | None = None,
    inbox: str | None = None,
) -> ListEntry:
    """One entry. Raises NotFound."""
    require(scope, "list_entry_read")
    return await core.store.read(lambda tx: _find(tx, scope, direction, list_type, entry, pod, inbox))


async def delete(
    core: Core,
    scope: Scope,
    direction: str,
    list_type: str,
    entry: str,
    *,
    pod: str | None = None,
    inbox: str | None = None,
) -> None:
    """Take an entry off a list."""
    require(scope, "list_entry_delete")

    def write(tx: Tx) -> None:
        remove_entry(tx, _find(tx, scope, direction, list_type, entry, pod, inbox))

    await core.store.write(write)


def _find(
    tx: Tx, scope: Scope, direction: str, list_type: str, entry: str, pod: str | None, inbox: str | None
) -> ListEntry:
    way, action = check_list(direction, list_type)
    text = spelled(entry)[:400]
    found = find_entry(tx, owner_of(tx, scope, way, pod, inbox), action, text)
    if found is None:
        raise NotFound(f"{text[:320]!r} is not on this list", fix="GET the list for its entries")
    return found
