"""``postern doctor`` on a real gateway, and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.store.sql import sql
from tests.support.databases import database_url, on_postgres
from tests.support.gateway_process import GatewayProcess, running_gateway

QUIET: dict[str, Any] = {"doctor__mx_hosts": ["127.0.0.1:9"], "doctor__ntp_server": "127.0.0.1:9"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("doctor"), **QUIET) as running:
        yield running


def doctor(gateway: GatewayProcess, *arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    done = gateway.postern("doctor", "--json", *arguments, timeout=120)
    assert done.returncode in (0, 1, 2), done.stderr
    found = json.loads(done.stdout)
    assert found["status"] == ("ok", "warn", "fail")[done.returncode]
    return done.returncode, {one["check"]: one["findings"] for one in found["checks"]}


def organizations(gateway: GatewayProcess) -> tuple[int, ...]:
    from gateway.store.engine import Store

    store = Store(database_url(gateway.data) if on_postgres() else f"sqlite:{gateway.data / 'postern.db'}")
    store.start()
    tables = ("organization", "pod", "inbox", "message", "outbox", "event", "tally")
    try:
        return tuple(
            store.read_now(lambda tx, table=table: int(sql(tx).value(f"SELECT count(*) FROM {table}")))
            for table in tables
        )
    finally:
        store.close()


def test_with_a_running_gateway(gateway: GatewayProcess) -> None:
    before = organizations(gateway)
    code, found = doctor(gateway)
    assert code == 2  # nothing of others can be reached
    assert [one["level"] for one in found["outbound"]] == ["fail"]
    for name in ("gateway", "database", "outbox", "webhooks", "secrets", "round-trip", "disk"):
        assert {one["level"] for one in found[name]} == {"ok"}, (name, found[name])
    assert {one["subject"] for one in found["gateway"]} >= {"gateway", "database", "mail_dovecot"}
    assert "blocklists" not in found
    assert organizations(gateway) == before  # the round trip leaves nothing
    shown = gateway.postern("doctor", "--only", "outbound", "--only", "outbox")
    assert shown.returncode == 2
    assert "FAIL  outbound     port 25: " in shown.stdout
    assert "      fix: your provider blocks outgoing port 25" in shown.stdout
    assert "OK    outbox       outbox: empty" in shown.stdout
    assert shown.stdout.endswith("1 wrong, 0 of note\n")
    assert doctor(gateway, "--only", "outbox")[0] == 0
    assert "outbound" not in doctor(gateway, "--skip", "outbound", "--skip", "round-trip")[1]
    assert gateway.postern("doctor", "--url", "http://x.test").returncode == 2


def test_a_development_gateway_is_not_judged_as_a_server(gateway: GatewayProcess) -> None:
    """Without a name server or servers of others in its settings, and with an address that the world knows."""
    settings = {"doctor__ntp_server": "127.0.0.1:9", "mail__public_ipv4": "192.0.2.10"}
    plain = replace(gateway, settings=settings)
    code, found = doctor(plain, "--skip", "clock")
    assert code == 0, found
    (profile,) = found["profile"]
    left_out = ("outbound", "tls", "certificates", "dns", "hostname", "postmaster")
    assert profile["level"] == "ok"
    assert profile["text"].endswith(": " + ", ".join(left_out))
    assert not set(left_out) & set(found)
    assert {"gateway", "ports", "database", "round-trip"} <= set(found)
    shown = plain.postern("doctor", "--skip", "clock", timeout=120).stdout
    assert shown.splitlines()[0].startswith("OK    profile      development profile: ")
    assert shown.endswith("0 wrong, 0 of note\n")


def test_the_round_trip_is_the_operators(gateway: GatewayProcess) -> None:
    with gateway.organization.client() as client:
        answer = client.post(f"{gateway.base_url}/operator/round-trip", json={})
    assert answer.status_code == 404


def test_without_a_gateway(gateway: GatewayProcess) -> None:
    gateway.stop()
    try:
        code, found = doctor(gateway, "--skip", "dns", "--skip", "hostname")
        assert code == 2
        assert [one["level"] for one in found["gateway"]] == ["fail"]
        assert "postern serve --quickstart --data" in found["gateway"][0]["fix"]
        assert [one["level"] for one in found["round-trip"]] == ["warn"]
        assert [one["level"] for one in found["database"]] == ["ok"]
    finally:
        gateway.start()
