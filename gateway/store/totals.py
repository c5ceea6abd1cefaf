"""How many messages and threads an inbox holds, kept by triggers, so that a list of 100,000 costs no count.

Table ``row_total`` (kind ``message`` or ``thread``, inbox_id, hidden 0|1, n). Triggers and not the callers keep
it: whatever inserts, hides or deletes a row (sync, rebuild, deletion of an inbox) cannot forget it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from gateway.store.engine import Tx

Kind = Literal["message", "thread"]

_TABLE = (
    "CREATE TABLE row_total (kind VARCHAR(10) NOT NULL, inbox_id VARCHAR(255) NOT NULL, hidden INTEGER NOT NULL, "
    "n BIGINT NOT NULL, PRIMARY KEY (kind, inbox_id, hidden))"
)


def create(db: Any, *, sqlite: bool) -> None:
    """Make the table and its triggers (called by the first migration)."""
    db.execute_sql(_TABLE)
    for kind in ("message", "thread"):
        for statement in _sqlite(kind) if sqlite else _postgres(kind):
            db.execute_sql(statement)


def total(tx: Tx, kind: Kind, inbox_ids: Iterable[str], *, hidden: bool) -> int:
    """Rows of these inboxes; the hidden ones too when ``hidden``."""
    ids = list(inbox_ids)
    count = 0
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ", ".join("?" * len(some))
        count += int(
            tx.value(
                f"SELECT coalesce(sum(n), 0) FROM row_total WHERE kind = ? AND inbox_id IN ({marks}) "  # noqa: S608
                "AND hidden <= ?",
                kind,
                *some,
                int(hidden),
            )
        )
    return count


def _add(kind: str, side: str, by: int) -> str:
    return (
        f"INSERT INTO row_total (kind, inbox_id, hidden, n) "  # noqa: S608
        f"VALUES ('{kind}', {side}.inbox_id, {side}.hidden, {by}) "
        f"ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + ({by});"
    )


def _sqlite(kind: str) -> list[str]:
    plus, minus = _add(kind, "new", 1), _add(kind, "old", -1)
    return [
        f"CREATE TRIGGER {kind}_total_insert AFTER INSERT ON {kind} BEGIN {plus} END",
        f"CREATE TRIGGER {kind}_total_delete AFTER DELETE ON {kind} BEGIN {minus} END",
        f"CREATE TRIGGER {kind}_total_hide AFTER UPDATE OF hidden ON {kind} WHEN old.hidden <> new.hidden "
        f"BEGIN {minus} {plus} END",
    ]


def _postgres(kind: str) -> list[str]:
    plus, minus = _add(kind, "NEW", 1), _add(kind, "OLD", -1)
    return [
        f"CREATE FUNCTION {kind}_total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'INSERT' THEN {minus} END IF; IF TG_OP <> 'DELETE' THEN {plus} END IF; RETURN NULL; END $$",
        f"CREATE TRIGGER {kind}_total_rows AFTER INSERT OR DELETE ON {kind} "
        f"FOR EACH ROW EXECUTE FUNCTION {kind}_total()",
        f"CREATE TRIGGER {kind}_total_hide AFTER UPDATE OF hidden ON {kind} FOR EACH ROW "
        f"WHEN (OLD.hidden <> NEW.hidden) EXECUTE FUNCTION {kind}_total()",
    ]
