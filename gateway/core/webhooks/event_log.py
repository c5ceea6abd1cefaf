"""Reading the event log: what happened after a known event, inside the reach of the key."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import find_inbox, require
from gateway.core.webhooks.webhooks import EVENT_TYPES
from gateway.events.reach import permissions_of
from gateway.store.engine import Row, Tx
from gateway.store.ids import parse_id
from gateway.store.listing import Listing
from gateway.store.scope import Scope


async def list_events(
    core: Core,
    scope: Scope,
    *,
    after: str | None = None,
    limit: int = 20,
    ascending: bool = True,
    types: Sequence[str] = (),
    inbox: str | None = None,
    position: int | None = None,
    offset: int = 0,
) -> Listing[Row]:
    """Event rows in log order, of the types that the key may read.

    ``types``: empty for all of them. ``after``: an event id; ``position``: a row's ``seq`` (from ``Listing.next``).
    """
    require(scope, "webhook_read")
    types = _readable(scope, types or EVENT_TYPES)

    def read(tx: Tx) -> Listing[Row]:
        where, args = "organization_id = ?", list[object]([scope.organization])
        if scope.test:
            where += " AND test = 1"
        if scope.pod:
            where, args = f"{where} AND pod_id = ?", [*args, scope.pod]
        if inbox is not None or scope.inbox:
            row = find_inbox(tx, scope, inbox if inbox is not None else f"inb_{scope.inbox}")
            where, args = f"{where} AND inbox_id = ?", [*args, row.id]
        where = f"{where} AND type IN ({', '.join('?' * len(types))})"
        args = [*args, *types]
        if after is not None:
            seq = tx.value(
                "SELECT seq FROM event WHERE id = ? AND organization_id = ?",
                parse_id("evt", after) or "",
                scope.organization,
            )
            if seq is None:
                raise Invalid(
                    "after names no event that is kept",
                    field="after",
                    fix="leave it out to read from the start",
                )
            where, args = f"{where} AND seq > ?", [*args, seq]
        total = tx.value(f"SELECT count(*) FROM event WHERE {where}", *args)  # noqa: S608
        if position is not None:
            where, args = f"{where} AND seq {'>' if ascending else '<'} ?", [*args, position]
        way = "ASC" if ascending else "DESC"
        rows = tx.rows(
            f"SELECT * FROM event WHERE {where} ORDER BY seq {way} LIMIT ? OFFSET ?",  # noqa: S608
            *args,
            limit + 1,
            offset,
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return Listing(rows, int(total), (rows[-1]["seq"], "") if more and rows else None)

    return await core.store.read(read)


def _readable(scope: Scope, types: Sequence[str]) -> list[str]:
    """Those of ``types`` that the key may read. Raises Forbidden when it may read none."""
    found = [kind for kind in types if all(scope.allows(one) for one in permissions_of(kind))]
    if not found:
        for one in permissions_of(types[0]):
            require(scope, one)
    return found
