"""Which events a key's reach and permissions let it hear."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import NotFound
from gateway.events.log import OPT_IN
from gateway.store.engine import Row, Tx
from gateway.store.ids import parse_id
from gateway.store.scope import Scope


def may_hear(scope: Scope, row: Row) -> bool:
    """Whether an event row is inside the key's reach and permissions."""
    if row["organization_id"] != scope.organization:
        return False
    if (scope.pod and row["pod_id"] != scope.pod) or (scope.inbox and row["inbox_id"] != scope.inbox):
        return False
    return scope.permissions is None or all(scope.allows(one) for one in permissions_of(row["type"]))


def permissions_of(kind: str) -> Sequence[str]:
    """The permissions that hearing events of a type takes."""
    if kind.startswith("domain."):
        return ("domain_read",)
    if kind in OPT_IN:
        return ("message_read", f"label_{kind.rpartition('.')[2]}_read")
    return ("message_read",)


def position_of(tx: Tx, scope: Scope, event_id: str) -> int:
    """Where in the log an event of ``evt_…`` stands. Raises NotFound for one that the key may not hear."""
    row = tx.row("SELECT * FROM event WHERE id = ?", parse_id("evt", event_id) or "")
    if row is None or not may_hear(scope, row):
        raise NotFound(
            "last_event_id names no event that is kept: subscribe without it, and list what was missed",
            field="last_event_id",
        )
    return int(row["seq"])
