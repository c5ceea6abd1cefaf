"""What SQLite reads to answer the questions that are asked all the time: an index from its place, never a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.sending.sent_before import Once, _find
from gateway.records.ids import InboxId, new_ulid, now_us
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.record_shape import shape_of
from gateway.store.sql import R, Sql, sql
from gateway.store.transaction import Tx

ORGANIZATION = "organization_id = 'o' AND status <> 'deleting'"


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            f"SELECT count(*) FROM inbox WHERE {ORGANIZATION}",
            "COVERING INDEX inbox_organization_id_created_at",
        ),
        (
            f"SELECT * FROM inbox WHERE {ORGANIZATION} ORDER BY created_at DESC, id DESC LIMIT 21 OFFSET 0",
            "INDEX inbox_organization_id_created_at",
        ),
        (
            f"SELECT * FROM inbox WHERE {ORGANIZATION} AND client_id = ?",
            "INDEX inbox_client (organization_id=? AND client_id=?)",
        ),
        (
            "SELECT id FROM message WHERE inbox_id = 'i' AND hidden = 0 ORDER BY timestamp DESC, seq DESC LIMIT 21",
            "INDEX message_inbox_id_timestamp_seq",
        ),
        (
            "SELECT * FROM thread WHERE inbox_id = 'i' AND hidden = 0 ORDER BY timestamp DESC, last_seq DESC LIMIT 21",
            "INDEX thread_inbox_id_timestamp_last_seq",
        ),
    ],
)
def test_a_list_walks_its_index(tmp_path: Path, query: str, index: str) -> None:
    # PostgreSQL plans by statistics, which an empty database has not
    store = Store(f"sqlite:{tmp_path / 'a.db'}")
    migrate(store)
    arguments = ("c",) if "?" in query else ()
    plan = store.read_now(
        lambda tx: [row["detail"] for row in sql(tx).rows(f"EXPLAIN QUERY PLAN {query}", *arguments)]
    )
    store.close()
    assert len(plan) == 1, plan  # nothing is sorted afterwards
    assert index in plan[0]


def test_what_was_sent_under_an_identity_is_found_by_it(tmp_path: Path) -> None:
    """Asked before each send with an idempotency key: it reads one message, however many the inbox sent."""
    store = Store(f"sqlite:{tmp_path / 'a.db'}")
    migrate(store)
    plan: list[str] = []

    class Explained(Sql):
        def one(self, kind: type[R], rest: str, *arguments: object) -> R | None:
            query = f"EXPLAIN QUERY PLAN SELECT {shape_of(kind).columns} FROM {kind.table} {rest}"
            plan.extend(row["detail"] for row in self.rows(query, *arguments))
            return None

    once = Once(new_ulid(), now_us())
    store.read_now(lambda tx: _find(Tx(Explained(store.db, None)), InboxId("i"), once))
    store.close()
    assert "message_identity (inbox_id=? AND <expr>=? AND timestamp>?)" in plan[0], plan
