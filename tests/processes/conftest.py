from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.store.engine import Store
from gateway.store.migrate import migrate
from tests.support.postgres_server import PostgresCluster


@pytest.fixture
def store(postgres: PostgresCluster) -> Iterator[Store]:
    """A store on a fresh PostgreSQL database."""
    store = Store(postgres.new_database(), connections=4)
    migrate(store)
    store.start()
    yield store
    store.close()
