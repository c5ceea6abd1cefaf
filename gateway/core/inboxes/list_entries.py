"""Allow and block lists: which addresses and domains an inbox may write to, hear from, answer."""

from __future__ import annotations

import re

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.paging import clean_text, page_of
from gateway.store.allow_block_lists import MODE
from gateway.store.engine import Row, Tx
from gateway.store.ids import new_ulid, now_us
from gateway.store.listing import Listing, Window
from gateway.store.scope import Scope
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

DIRECTIONS = ("send", "receive", "reply")
TYPES = ("allow", "block")
_LOCAL = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}")


def check_list(direction: str, list_type: str) -> None:
    """Raise NotFound unless there is such a list."""
    if direction not in DIRECTIONS or list_type not in TYPES:
        raise NotFound(
            f"there is no list {direction[:40]}/{list_type[:40]}",
            fix="use /lists/{send|receive|reply}/{allow|block}",
        )


def check_entry(entry: str) -> tuple[str, str]:
    """(entry in lower case, ``email`` or ``domain``). Raises Invalid."""
    text = entry.strip().lower().removeprefix("@")
    local, at, domain = text.rpartition("@")
    try:
        domain = fold_domain(domain)
    except MailServerError:
        domain = ""
    if not domain or (at and not _LOCAL.fullmatch(local)):
        raise Invalid(
            "entry is neither an address nor a domain",
            field="entry",
            fix="write a@example.com or example.com",
        )
    return (f"{local}@{domain}", "email") if at else (domain, "domain")


def place_of(tx: Tx, scope: Scope, direction: str, pod: str | None, inbox: str | None) -> Row:
    """The columns that say whose list a row is on. Raises NotFound, Forbidden."""
    pod_id = find_pod(tx, scope, pod).id if pod is not None else scope.pod
    inbox_id = None
    if inbox is not None or scope.inbox:
        row = find_inbox(tx, scope, inbox or f"inb_{scope.inbox}")
        inbox_id, pod_id = row.id, row.pod_id
    return {
        "organization_id": scope.organization,
        "pod_id": pod_id,
        "inbox_id": inbox_id,
        "direction": direction,
    }


def matching(columns: Row) -> tuple[str, list[object]]:
    """The condition that these columns have these values, and its parameters."""
    where = [f"{name} IS NULL" if value is None else f"{name} = ?" for name, value in columns.items()]
    return " AND ".join(where), [value for value in columns.values() if value is not None]


def put(tx: Tx, columns: Row, text: str, kind: str, reason: str | None = None) -> tuple[Row, bool]:
    """The row of ``text`` among those with ``columns``, and whether it was made now."""
    where, args = matching({**columns, "entry": text})
    held = tx.row(f"SELECT * FROM list_entry WHERE {where}", *args)  # noqa: S608
    if held is not None:
        return held, False
    row = {
        "id": new_ulid(),
        **columns,
        "entry": text,
        "entry_type": kind,
        "reason": reason,
        "created_at": now_us(),
    }
    tx.insert("list_entry", row)
    return row, True


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
) -> tuple[Row, bool]:
    """Put an entry on a list; answers its row and whether it is new."""
    require(scope, "list_entry_create")
    check_list(direction, list_type)
    text, kind = check_entry(entry)
    reason = clean_text(reason, "reason", 1000)

    def write(tx: Tx) -> tuple[Row, bool]:
        place = place_of(tx, scope, direction, pod, inbox)
        row, new = put(tx, {**place, "list_type": list_type}, text, kind, reason)
        if new and list_type == "allow":
            # this allow list is meant to be complete, whatever a mode said before
            where, args = matching({**place, "list_type": MODE, "entry": "none"})
            tx.run(f"DELETE FROM list_entry WHERE {where}", *args)  # noqa: S608
        return row, new

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
) -> Listing[Row]:
    """The entries of one list, of exactly that scope."""
    require(scope, "list_entry_read")

    check_list(direction, list_type)

    def read(tx: Tx) -> Listing[Row]:
        place = place_of(tx, scope, direction, pod, inbox)
        where, args = matching({**place, "list_type": list_type})
        return page_of(tx, "list_entry", where, args, window)

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
) -> Row:
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
        row = _find(tx, scope, direction, list_type, entry, pod, inbox)
        tx.run("DELETE FROM list_entry WHERE id = ?", row["id"])

    await core.store.write(write)


def _find(
    tx: Tx, scope: Scope, direction: str, list_type: str, entry: str, pod: str | None, inbox: str | None
) -> Row:
    check_list(direction, list_type)
    text = entry.strip().lower().removeprefix("@")[:400]
    place = place_of(tx, scope, direction, pod, inbox)
    where, args = matching({**place, "list_type": list_type, "entry": text})
    row = tx.row(f"SELECT * FROM list_entry WHERE {where}", *args)  # noqa: S608
    if row is None:
        raise NotFound(f"{text[:320]!r} is not on this list", fix="GET the list for its entries")
    return row
