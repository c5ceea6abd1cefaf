"""What each inbox received, sent and holds: the figures to bill by.

Counted from the rows of the messages that exist: deleted mail counts nowhere, and filtered mail (label
``blocked``) is not there for anybody who asks here. The index of the organization's messages carries every
figure, so that a count over months reads no row.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import require
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.scope import Scope

_DAY = 86_400_000_000
DEFAULT_DAYS = 30
MAX_DAYS = 92


@dataclass(slots=True)
class Metered:
    """One inbox. ``stored_bytes`` is what it holds now; the rest is of the window."""

    inbox_id: str
    address: str
    inbound: int = 0
    outbound: int = 0
    attachment_bytes: int = 0
    stored_bytes: int = 0


def window(start: int | None, end: int | None) -> tuple[int, int]:
    """A checked window in µs, end excluded; by default the last 30 days, at most 92. Raises Invalid."""
    end = now_us() if end is None else end
    start = end - DEFAULT_DAYS * _DAY if start is None else start
    if start >= end:
        raise Invalid("from is not before to", field="from", fix="correct from or to")
    if end - start > MAX_DAYS * _DAY:
        raise Invalid(f"from and to are more than {MAX_DAYS} days apart", field="from", fix="ask in parts")
    return start, end


async def metered(core: Core, scope: Scope, start: int, end: int) -> list[Metered]:
    """Every inbox inside the reach, the newest first, those without any mail too."""
    require(scope, "metrics_read")

    def read(tx: Tx) -> list[Metered]:
        where, args = scope.inbox_where("inbox")
        found = {
            row["id"]: Metered(row["id"], row["address"])
            for row in tx.rows(
                f"SELECT id, address FROM inbox WHERE {where} AND status <> 'deleting' "  # noqa: S608
                "ORDER BY created_at DESC, id DESC",
                *args,
            )
        }
        for row in _moved(tx, scope, start, end):
            if one := found.get(row["inbox_id"]):
                one.attachment_bytes += int(row["octets"])
                setattr(one, row["direction"], int(row["n"]))
        for row in tx.rows(
            "SELECT inbox_id, sum(size) AS octets FROM message WHERE organization_id = ? GROUP BY inbox_id",
            scope.organization,
        ):
            if one := found.get(row["inbox_id"]):
                one.stored_bytes = int(row["octets"])
        return list(found.values())

    return await core.store.read(read)


def _moved(tx: Tx, scope: Scope, start: int, end: int) -> list[Row]:
    return tx.rows(
        "SELECT inbox_id, direction, count(*) AS n, sum(attachment_bytes) AS octets FROM message "
        "WHERE organization_id = ? AND timestamp >= ? AND timestamp < ? AND (hidden = 0 OR NOT EXISTS "
        "(SELECT 1 FROM label WHERE label.message_id = message.id AND label.label = 'blocked')) "
        "GROUP BY inbox_id, direction",
        scope.organization,
        start,
        end,
    )
