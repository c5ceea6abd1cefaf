"""Which events a key's reach and permissions let it hear; a sandbox key hears of test sends only."""

from __future__ import annotations

from gateway.core.errors import NotFound
from gateway.events.reach import permissions_of
from gateway.store.engine import Row, Tx
from gateway.store.ids import parse_id
from gateway.store.scope import Scope


def may_hear(scope: Scope, row: Row) -> bool:
    """Whether an event row is inside the key's reach and permissions."""
    if row["organization_id"] != scope.organization:
        return False
    if (
        scope.test and not row["test"]
    ):  # what is live is for live keys: a socket of the sandbox must not take it
        return False
    if (scope.pod and row["pod_id"] != scope.pod) or (scope.inbox and row["inbox_id"] != scope.inbox):
        return False
    return scope.permissions is None or all(scope.allows(one) for one in permissions_of(row["type"]))


def position_of(tx: Tx, scope: Scope, event_id: str) -> int:
    """Where in the log an event of ``evt_…`` stands. Raises NotFound for one that the key may not hear."""
    row = tx.row("SELECT * FROM event WHERE id = ?", parse_id("evt", event_id) or "")
    if row is None or not may_hear(scope, row):
        raise NotFound(
            "last_event_id names no event that is kept: subscribe without it, and list what was missed",
            field="last_event_id",
        )
    return int(row["seq"])
