"""0006: what waited for a webhook before the upgrade is posted after it, and counts for its organization."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.records.ids import OrganizationId, now_us
from gateway.store import migrate as migrating
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries import deliveries
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from tests.store.earlier_migrations import migrations_before
from tests.support.postgres_server import PostgresCluster

LEVEL = "0006_fair_deliveries"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'one.db'}"
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        yield cluster.new_database()


def _fill(tx: Tx) -> None:
    at = {"created_at": 5, "updated_at": 7}
    for name, more in (
        ("works", {}),
        ("off", {"enabled": 0, "disabled_reason": "it kept failing"}),
    ):
        hook = {"id": name, "number": len(name), "organization_id": f"org-{name}", "url": "https://x.test/"}
        sql(tx).insert("webhook", {**hook, "secret": "s", **at, **more})
    for lane, state, attempts, next_at in (
        ("works/a", "pending", 3, 999),
        ("works/a", "pending", 0, deliveries.BEHIND),
        ("works/b", "done", 1, 0),
    ):
        row = {"event_seq": 1, "webhook_id": "works", "lane": lane, "state": state, "attempts": attempts}
        sql(tx).insert("delivery", {**row, "next_at": next_at, "created_at": 5})


def test_what_waits_is_still_delivered(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, closing(Store(url)) as store:
        patched.setattr(migrating, "_DIRECTORY", migrations_before(LEVEL, tmp_path))
        assert LEVEL not in migrate(store)
        store.start()
        store.write_now(_fill)
    with closing(Store(url)) as store:
        assert LEVEL in migrate(store)
        rows: list[Row] = store.read_now(lambda tx: sql(tx).rows("SELECT * FROM delivery ORDER BY id"))
        assert [(one["organization_id"], one["planned_at"], one["tried_at"]) for one in rows] == [
            ("org-works", 999, 5),
            ("org-works", None, None),
            ("", None, None),
        ]
        hooks = {
            one["id"]: one["off_mailed_at"]
            for one in store.read_now(lambda tx: sql(tx).rows("SELECT * FROM webhook"))
        }
        assert hooks == {"works": None, "off": 7}, "nobody is written to about one that was off before"
        assert store.read_now(lambda tx: deliveries.unscoped_organizations_due(tx, now_us(), "", 9)) == [
            "org-works"
        ]
        due = store.read_now(
            lambda tx: deliveries.due_lanes(tx, OrganizationId("org-works"), now_us(), (), 9)
        )
        assert [one.lane for one in due] == ["works/a"]
