"""Fixtures of every room: anyio's back end, one shared running gateway, a fresh organization on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from gateway.logs import QUIET
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.postgres_server import PostgresCluster, postgres_cluster

# hypothesis' own is 200 ms an example, which a busy machine takes for nothing
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_LONGEST_FIRST = (
    "container",
    "vps",
    "upgrade",
    "systemd",
    "setup",
    "processes",
    "aliases",
    "transfer",
    "mailserver",
    "e2e",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders whose tests boot machines and kill servers first: begun last, they would keep one core waiting."""

    def rank(item: pytest.Item) -> int:
        folder = item.nodeid.split("/")[1]
        return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A test that sets the process's logging up (every command does) leaves the next test its own."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = [(one, one.level) for one in (root, *map(logging.getLogger, QUIET))]
    yield
    root.handlers[:] = handlers
    for one, level in levels:
        one.setLevel(level)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One running gateway (embedded mail server) for the whole run. Do not stop it."""
    loose: dict[str, Any] = {
        "webhooks__retry_scale": 0.01,
        "register__per_address": 0,
        "simulator__slow_seconds": 0.1,
    }
    with running_gateway(tmp_path_factory.mktemp("gateway"), **loose) as running:
        yield running


@pytest.fixture
def organization(gateway: GatewayProcess) -> Organization:
    """A fresh, empty organization on the shared gateway: ``new_inbox()``, ``client()``, ``call()``."""
    return gateway.new_organization()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """One PostgreSQL cluster for the whole run: ``new_database()`` answers a URL. Do not stop it."""
    with postgres_cluster(tmp_path_factory.mktemp("postgres")) as cluster:
        yield cluster
