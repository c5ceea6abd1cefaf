"""What the store writes into the audit log of what a transaction changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.records.ids import KeyId, OrganizationId
from gateway.store.acting import Actor, acting, current_actor
from gateway.store.audited_sql import AuditedSql
from gateway.store.engine import NotUnique, Store
from gateway.store.migrate import migrate
from gateway.store.queries.audit import note_action, unscoped_forget_audit
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from tests.support.databases import database_url

HOME, OTHER = OrganizationId("home"), OrganizationId("other")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(database_url(tmp_path / "a.db"))
    migrate(made)
    yield made
    made.close()


def actor(kind: Any = "key") -> Actor:
    return Actor(kind, "agentmail", "test", organization=HOME, key_id=KeyId("k"), ip="192.0.2.1")


def add_pod(tx: Tx, name: str, organization: str = HOME) -> None:
    row = {"id": f"pod-{name}", "organization_id": organization, "name": name, "created_at": 1}
    sql(tx).insert("pod", row | {"updated_at": 1})


def entries(store: Store) -> list[Row]:
    return store.read_now(lambda tx: sql(tx).rows("SELECT * FROM audit_entry ORDER BY created_at, id"))


def done(store: Store, *works: Any, who: Actor | None = None) -> list[Row]:
    """The entries of one transaction."""
    store.write_now(lambda tx: sql(tx).run("DELETE FROM audit_entry"))
    with acting(who or actor()):
        store.write_now(lambda tx: [work(tx) for work in works] and None)
    return entries(store)


def test_what_the_gateway_does_by_itself_is_not_logged(store: Store) -> None:
    store.write_now(lambda tx: add_pod(tx, "a"))
    assert entries(store) == []


def test_several_changes_of_a_row_are_one_entry(store: Store) -> None:
    store.write_now(lambda tx: add_pod(tx, "a"))
    (one,) = done(
        store,
        lambda tx: sql(tx).update("pod", "id", "pod-a", {"name": "b", "updated_at": 2}),
        lambda tx: sql(tx).run("UPDATE pod SET name = ? WHERE name = ?", "c", "b"),
    )
    assert (one["action"], one["before_json"], one["after_json"]) == (
        "changed",
        '{"name":"a"}',
        '{"name":"c"}',
    )
    assert (one["organization_id"], one["key_id"], one["ip"]) == (HOME, "k", "192.0.2.1")


def test_what_changes_nothing_leaves_nothing(store: Store) -> None:
    store.write_now(lambda tx: add_pod(tx, "a"))
    assert not done(
        store,
        lambda tx: sql(tx).update("pod", "id", "pod-a", {"updated_at": 5}),
        lambda tx: sql(tx).update("pod", "id", "pod-a", {"name": "a"}),
        lambda tx: sql(tx).update("pod", "id", "nobody", {"name": "x"}),
        lambda tx: sql(tx).run("DELETE FROM pod WHERE id = ?", "nobody"),
    )


def test_an_entry_is_there_with_its_change_or_not_at_all(store: Store) -> None:
    def fails(tx: Tx) -> None:
        add_pod(tx, "b")
        add_pod(tx, "b")

    with pytest.raises(NotUnique), acting(actor()):
        store.write_now(fails)
    assert entries(store) == []


def test_many_rows_are_counted(store: Store) -> None:
    found = done(store, *(lambda tx, n=n: add_pod(tx, str(n)) for n in range(230)))
    assert len(found) == 201
    assert [one["object_name"] for one in found if one["action"] == "more"] == [
        "30 more changes of this transaction are not listed"
    ]


def test_another_organizations_rows_are_only_the_operators(store: Store) -> None:
    assert not done(store, lambda tx: add_pod(tx, "a", OTHER))
    assert not done(store, lambda tx: note_action(tx, "pod", "x", "done", organization=OTHER))
    (one,) = done(store, lambda tx: add_pod(tx, "b", OTHER), who=actor("operator"))
    assert (one["actor"], one["organization_id"]) == ("operator", OTHER)


def test_the_decision_about_a_held_message_is_logged_and_not_its_holding(store: Store) -> None:
    row = {"id": "r", "organization_id": HOME, "inbox_id": "i", "message_id": "m", "direction": "outbound"}
    row |= {"reasons_json": "[]", "digest": "d", "state": "pending"}
    times = {"expires_at": 1, "created_at": 1, "updated_at": 1}
    assert not done(store, lambda tx: sql(tx).insert("review", row | times))
    decided = {"state": "approved", "decided_by": "key_k", "updated_at": 2}
    (one,) = done(store, lambda tx: sql(tx).update("review", "id", "r", decided))
    assert json.loads(one["before_json"]) == {"state": "pending"}
    assert json.loads(one["after_json"]) == {"state": "approved", "decided_by": "key_k"}


def test_an_action_beside_our_rows_is_noted(store: Store) -> None:
    (one,) = done(store, lambda tx: note_action(tx, "inbox", "inb_x", "password_set", name="a@x.test"))
    assert (one["action"], one["object_name"], one["organization_id"]) == ("password_set", "a@x.test", HOME)


def test_nobody_acts_once_the_request_is_over() -> None:
    one = actor()
    with acting(one):
        assert current_actor() is one
        one.over = True
        assert current_actor() is None
    assert current_actor() is None


def test_old_entries_are_swept(store: Store) -> None:
    done(store, lambda tx: add_pod(tx, "a"))
    assert store.write_now(lambda tx: unscoped_forget_audit(tx, 1, 10)) == 0
    assert store.write_now(lambda tx: unscoped_forget_audit(tx, 1 << 60, 10)) == 1
    assert entries(store) == []


def test_a_look_at_what_a_statement_touches_is_made_for_watched_columns_alone(store: Store) -> None:
    looked: list[str] = []

    class Looking(AuditedSql):
        def rows(self, query: Any, *args: object) -> list[Row]:
            looked.append(str(query))
            return super().rows(query, *args)

    store.db.connect(reuse_if_open=True)
    statements = Looking(store.db, None, actor())
    statements.run("UPDATE inbox SET active_at = ? WHERE id = ? AND active_at < ?", 1, "x", 1)
    statements.run("UPDATE message SET seen = ? WHERE id = ?", 1, "x")
    assert looked == []
    statements.run("UPDATE inbox SET display_name = ? WHERE id = ?", "n", "x")
    assert len(looked) == 1
