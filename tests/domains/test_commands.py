"""The ``postern domain`` command on a running gateway and a name server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.domains.nsd import nsd
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.servers import NameServer

Zones = dict[tuple[str, str], list[str] | None]


@pytest.fixture(scope="module")
def zones() -> Zones:
    return {}


@pytest.fixture(scope="module")
def gateway(zones: Zones, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(NameServer(zones)) as dns,
        running_gateway(
            tmp_path_factory.mktemp("domains"),
            dns__nameservers=["127.0.0.1"],
            dns__port=dns.port,
            mail__public_ipv4="192.0.2.10",
        ) as running,
    ):
        yield running


def answer(gateway: GatewayProcess, *arguments: str, code: int = 0) -> Any:
    done = gateway.postern("domain", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_from_adding_to_verified_to_rotated(gateway: GatewayProcess, zones: Zones) -> None:
    shown = gateway.postern("domain", "add", "shop.test").stdout
    assert "shop.test. MX 10 mail.postern.test." in shown
    assert "Recommended" in shown
    missing = gateway.postern("domain", "verify", "shop.test")
    assert missing.returncode == 1
    assert "MISSING MX    shop.test\n          publish shop.test MX 10 mail.postern.test." in missing.stdout
    assert "(recommended)" in missing.stdout
    for one in answer(gateway, "show", "shop.test")["records"]:
        if one["required"]:
            zones[(one["name"], one["type"])] = [one["data"]]
    zones[("_mta-sts.shop.test", "TXT")] = ['"v=STSv1; id=stale"']
    found = gateway.postern("domain", "verify", "shop.test")
    assert found.returncode == 0, found.stdout  # what is only recommended does not count
    assert "OK      MX    shop.test" in found.stdout
    assert "INVALID TXT   _mta-sts.shop.test" in found.stdout
    assert "found: v=STSv1; id=stale" in found.stdout

    first = answer(gateway, "rotate", "shop.test")
    assert not first["rotated"]
    coming = next(one for one in first["records"] if one["purpose"] == "dkim_next")
    zones[(coming["name"], "TXT")] = [coming["data"]]
    words = gateway.postern("domain", "rotate", "shop.test").stdout
    assert f"signed with {first['next_selector']} from now on" in words
    assert answer(gateway, "mta-sts", "shop.test", "none")["mta_sts"] == "none"
    assert answer(gateway, "trust", "shop.test")["proven"]
    answer(gateway, "remove", "shop.test")
    assert gateway.postern("domain", "show", "shop.test").returncode == 3


def test_the_zone_of_the_platform_domain_loads(gateway: GatewayProcess) -> None:
    """It holds the mail host's own address; a whole one is taken by a real name server."""
    done = gateway.postern("domain", "zone", "postern.test", "--ns", "ns1.far.test", "--ns", "ns2.far.test")
    assert done.returncode == 0, done.stderr
    assert "mail.postern.test. 3600 IN A 192.0.2.10" in done.stdout
    assert "10.2.0.192.in-addr.arpa. 3600 IN PTR mail.postern.test." in done.stdout
    with nsd({"postern.test": done.stdout}):
        pass
    assert "SOA" not in gateway.postern("domain", "zone", "postern.test").stdout
    assert gateway.postern("domain", "zone", "postern.test", "--ns", "bad name").returncode == 1
