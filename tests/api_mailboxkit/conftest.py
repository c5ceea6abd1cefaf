"""Fixtures of the /api/v1 tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.own_gateway import OwnGateway, missing, start_gateway
from tests.support.servers import NameServer

Zones = dict[tuple[str, str], list[str] | None]
PER_DAY = 9


@pytest.fixture(scope="package")
def own_gateway() -> Iterator[OwnGateway]:
    """A gateway that sends through a foreign server and may track opening; shared: make organizations of your own."""
    reason = missing("embedded")
    if reason:
        pytest.skip(reason)
    with start_gateway(mail__open_tracking="asked") as made:
        yield made


@pytest.fixture(scope="package")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with nothing before it: a key may make 9 requests a day, registering is closed. May be restarted."""
    with running_gateway(
        tmp_path_factory.mktemp("strict"), mailboxkit__requests_per_day=PER_DAY, register__enabled=False
    ) as running:
        yield running


@pytest.fixture(scope="package")
def zones() -> Zones:
    """What the name server of ``proxied`` knows; add to it."""
    return {}


@pytest.fixture(scope="package")
def proxied(zones: Zones, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway behind a proxy on this machine, which asks a name server with ``zones`` and waits one second."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(NameServer(zones, silent=("silent.test",))) as dns,
        running_gateway(
            tmp_path_factory.mktemp("proxied"),
            http__trusted_proxies=["127.0.0.1"],
            dns__nameservers=["127.0.0.1"],
            dns__port=dns.port,
            dns__timeout=1,
        ) as running,
    ):
        yield running
