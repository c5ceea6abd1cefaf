"""The log of labels put on and taken off an inbox's messages, newest first."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.lookup import find_inbox, require
from gateway.store.engine import Row, Tx
from gateway.store.listing import Listing
from gateway.store.scope import Scope


async def list_label_changes(
    core: Core,
    scope: Scope,
    inbox_ref: str,
    *,
    limit: int = 20,
    ascending: bool = False,
    position: int | None = None,
    offset: int = 0,
) -> Listing[Row]:
    """Rows ``id, message_id, label, added, created_at`` with ``organization_id``, ``pod_id``, ``inbox_id``.

    ``position``: a row's ``seq`` (from ``Listing.next``). Raises NotFound, Forbidden.
    """
    require(scope, "message_read")

    def read(tx: Tx) -> Listing[Row]:
        inbox = find_inbox(tx, scope, inbox_ref)
        total = tx.value("SELECT count(*) FROM label_change WHERE inbox_id = ?", inbox.id)
        where, args = "inbox_id = ?", list[object]([inbox.id])
        if position is not None:
            where, args = f"{where} AND seq {'>' if ascending else '<'} ?", [*args, position]
        way = "ASC" if ascending else "DESC"
        rows = tx.rows(
            f"SELECT * FROM label_change WHERE {where} ORDER BY seq {way} LIMIT ? OFFSET ?",  # noqa: S608
            *args,
            limit + 1,
            offset,
        )
        more = len(rows) > limit
        kept = [
            {**row, "organization_id": inbox.organization_id, "pod_id": inbox.pod_id} for row in rows[:limit]
        ]
        return Listing(kept, int(total), (kept[-1]["seq"], "") if more and kept else None)

    return await core.store.read(read)
