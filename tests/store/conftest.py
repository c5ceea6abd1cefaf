import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.records.ids import InboxId, new_ulid, now_us, number_of
from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.sql import sql
from tests.support.postgres_server import PostgresCluster


@pytest.fixture(scope="session")
def template(postgres: PostgresCluster) -> str:
    """A migrated, empty PostgreSQL database to copy."""
    url = postgres.new_database()
    store = Store(url, connections=2)
    migrate(store)
    store.close()
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """On both databases, whichever the other tests run on."""
    if request.param == "sqlite":
        store = Store(f"sqlite:{tmp_path / 'test.db'}")
        migrate(store)
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        name = f"copy_{secrets.token_hex(6)}"
        cluster.run(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('template')}")
        store = Store(cluster.url(name), connections=4)
    store.start()
    yield store
    store.close()


@pytest.fixture
def inbox(store: Store) -> Inbox:
    return make_inbox(store, "agent@x.test")


def make_inbox(store: Store, address: str) -> Inbox:
    ulid = new_ulid()
    row = {
        "id": ulid,
        "number": number_of(ulid),
        "organization_id": new_ulid(),
        "pod_id": new_ulid(),
        "address": address,
        "username": address.partition("@")[0],
        "domain": address.partition("@")[2],
        "active_at": 0,
        "created_at": now_us(),
        "updated_at": now_us(),
    }
    store.write_now(lambda tx: sql(tx).insert("inbox", row))
    found = store.read_now(lambda tx: unscoped_inbox(tx, InboxId(ulid)))
    assert found is not None
    return found
