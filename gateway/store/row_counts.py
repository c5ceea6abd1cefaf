"""How many messages and threads an inbox holds, kept by triggers, so that a list of 100,000 costs no count.

Table ``row_total`` (kind, inbox_id, hidden 0|1, n); the kinds are ``message``, ``thread``, ``inbound`` (of the
messages those that came in) and ``dmarc_fail`` (those that failed DMARC, which are hidden). Triggers and not
the callers keep it: whatever inserts, hides or deletes a row (sync, rebuild, deletion of an inbox) cannot forget it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from gateway.records.ids import InboxId
from gateway.store.sql import sql
from gateway.store.transaction import Tx

Kind = Literal["message", "thread", "inbound", "dmarc_fail"]

_TABLE = (
    "CREATE TABLE row_total (kind VARCHAR(10) NOT NULL, inbox_id VARCHAR(255) NOT NULL, hidden INTEGER NOT NULL, "
    "n BIGINT NOT NULL, PRIMARY KEY (kind, inbox_id, hidden))"
)

# kind, its table, the condition on a row (``{}``: old or new) for what it counts, which never changes for a row, and
# whether the row is hidden
_KINDS: tuple[tuple[Kind, str, str, str], ...] = (
    ("message", "message", "1 = 1", "{}.hidden"),
    ("inbound", "message", "{}.direction = 'inbound'", "{}.hidden"),
    ("thread", "thread", "1 = 1", "{}.hidden"),
    ("dmarc_fail", "label", "{}.label = 'unauthenticated'", "1"),
)


def create(db: Any, *, sqlite: bool) -> None:
    """Make the table and its triggers, as the migrations do."""
    db.execute_sql(_TABLE)
    for kind in _KINDS:
        for statement in _sqlite(*kind) if sqlite else _postgres(*kind):
            db.execute_sql(statement)


def total(tx: Tx, kind: Kind, inbox_ids: Iterable[InboxId], *, hidden: bool) -> int:
    """Rows of these inboxes; the hidden ones too when ``hidden``."""
    ids = list(inbox_ids)
    count = 0
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ", ".join("?" * len(some))
        count += int(
            sql(tx).value(
                f"SELECT coalesce(sum(n), 0) FROM row_total WHERE kind = ? AND inbox_id IN ({marks}) "  # noqa: S608
                "AND hidden <= ?",
                kind,
                *some,
                int(hidden),
            )
        )
    return count


def _add(kind: str, side: str, hidden: str, by: int) -> str:
    return (
        f"INSERT INTO row_total (kind, inbox_id, hidden, n) "  # noqa: S608
        f"VALUES ('{kind}', {side}.inbox_id, {hidden.format(side)}, {by}) "
        f"ON CONFLICT (kind, inbox_id, hidden) DO UPDATE SET n = row_total.n + ({by});"
    )


def _sqlite(kind: str, table: str, only: str, hidden: str) -> list[str]:
    plus, minus = _add(kind, "new", hidden, 1), _add(kind, "old", hidden, -1)
    old, new = only.format("old"), only.format("new")
    triggers = [
        f"CREATE TRIGGER {kind}_total_insert AFTER INSERT ON {table} WHEN {new} BEGIN {plus} END",
        f"CREATE TRIGGER {kind}_total_delete AFTER DELETE ON {table} WHEN {old} BEGIN {minus} END",
    ]
    if "hidden" in hidden:
        triggers.append(
            f"CREATE TRIGGER {kind}_total_hide AFTER UPDATE OF hidden ON {table} "
            f"WHEN old.hidden <> new.hidden AND {new} BEGIN {minus} {plus} END"
        )
    return triggers


def _postgres(kind: str, table: str, only: str, hidden: str) -> list[str]:
    plus, minus = _add(kind, "NEW", hidden, 1), _add(kind, "OLD", hidden, -1)
    old, new = only.format("OLD"), only.format("NEW")
    run = f"FOR EACH ROW WHEN (%s) EXECUTE FUNCTION {kind}_total()"
    statements = [
        f"CREATE FUNCTION {kind}_total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'INSERT' THEN {minus} END IF; IF TG_OP <> 'DELETE' THEN {plus} END IF; RETURN NULL; END $$",
        f"CREATE TRIGGER {kind}_total_insert AFTER INSERT ON {table} {run % new}",
        f"CREATE TRIGGER {kind}_total_delete AFTER DELETE ON {table} {run % old}",
    ]
    if "hidden" in hidden:
        statements.append(
            f"CREATE TRIGGER {kind}_total_hide AFTER UPDATE OF hidden ON {table} "
            f"{run % f'OLD.hidden <> NEW.hidden AND {new}'}"
        )
    return statements
