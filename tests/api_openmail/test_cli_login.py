"""Signing a program in with a code, as OpenMail's command line does (contract §2, "Outside /v1")."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.core.accounts import cli_login
from gateway.core.errors import NotFound
from gateway.store.sql import sql
from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.running_api import running_api


def start(base_url: str) -> dict[str, Any]:
    answer = httpx.post(f"{base_url}/auth/cli/start", json={}, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    begun: dict[str, Any] = answer.json()
    return begun


def poll(base_url: str, request_id: str) -> httpx.Response:
    return httpx.get(f"{base_url}/auth/cli/poll", params={"requestId": request_id}, trust_env=False)


def test_the_operator_lets_a_program_in(gateway: GatewayProcess) -> None:
    begun = start(gateway.base_url)
    assert set(begun) == {"requestId", "userCode", "verifyUrl", "expiresInSeconds"}
    page = httpx.get(begun["verifyUrl"], trust_env=False)
    assert f"postern auth approve {begun['userCode']}" in page.text
    pending = poll(gateway.base_url, begun["requestId"])
    assert (pending.status_code, pending.json()) == (202, {"status": "pending"})
    done = gateway.postern("auth", "approve", begun["userCode"].replace("-", " ").lower(), "--json")
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1" in json.loads(done.stdout)["origin"]
    ready = poll(gateway.base_url, begun["requestId"])
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    key = ready.json()["apiKey"]
    assert key.startswith("om_")
    call(gateway.organization, "GET", "sender-rules", key=key)
    again = poll(gateway.base_url, begun["requestId"])
    assert (again.status_code, again.json()["error"]) == (404, "not_found")
    refused = gateway.postern("auth", "approve", begun["userCode"])
    assert refused.returncode == 3
    assert begun["userCode"] in refused.stderr


def test_the_key_reaches_the_account_that_approved_and_no_other(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = organization.new_inbox()
    begun = start(gateway.base_url)
    call(organization, "POST", f"cli-logins/{begun['userCode']}/approve")
    stranger = gateway.new_organization()
    call(stranger, "POST", f"cli-logins/{begun['userCode']}/approve", status=404)
    key = poll(gateway.base_url, begun["requestId"]).json()["apiKey"]
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        listed = client.get(f"{gateway.base_url}/api/v0/inboxes").json()
    assert [row["inbox_id"] for row in listed["data"]] == [inbox["inbox_id"]]


def test_a_narrow_key_lets_nobody_in(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    key = organization.call("POST", f"inboxes/{inbox}/api-keys", json={"name": "one"})["api_key"]
    begun = start(gateway.base_url)
    refused = call(organization, "POST", f"cli-logins/{begun['userCode']}/approve", key=key, status=403)
    assert refused["error"] == "forbidden"
    assert poll(gateway.base_url, begun["requestId"]).status_code == 202


def test_what_nobody_asked_for_is_not_found(gateway: GatewayProcess, organization: Organization) -> None:
    for request_id in ("", "x", "\u00e9" * 500):
        answer = poll(gateway.base_url, request_id)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    for code in ("AAAA-AAAA", "x", "%00"):
        call(organization, "POST", f"cli-logins/{code}/approve", status=404)
    hostile = httpx.get(
        f"{gateway.base_url}/auth/cli", params={"code": "<script>alert(1)</script>"}, trust_env=False
    )
    assert hostile.headers["content-type"].startswith("text/plain")
    assert "<script>" not in hostile.text


@pytest.mark.anyio
async def test_one_address_displaces_only_its_own_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_api(tmp_path) as running:
        core = running.core
        someone = await cli_login.start(core, "192.0.2.7", "openmail-cli")
        for last in range(300):
            await cli_login.start(core, f"2001:db8:1:2::{last:x}", "flood")  # one /64: one customer
        newcomer = await cli_login.start(core, "192.0.2.8", "openmail-cli")

        async def waiting(condition: str = "1 = 1") -> int:
            query = f"SELECT count(*) FROM cli_login WHERE {condition}"
            return int(await core.store.read(lambda tx: sql(tx).value(query)))

        assert await waiting("network = '2001:db8:1:2::/64'") == cli_login.MAX_OF_NETWORK
        for begun in (someone, newcomer):
            await cli_login.approve(core, running.scope, begun.user_code)
            assert await cli_login.fetch(core, begun.request_id)
        own = [await cli_login.start(core, "192.0.2.9", "x") for _ in range(cli_login.MAX_OF_NETWORK + 1)]
        with pytest.raises(NotFound):  # the oldest of its own address
            await cli_login.fetch(core, own[0].request_id)
        for begun in own[1:]:
            assert await cli_login.fetch(core, begun.request_id) is None
        monkeypatch.setattr(cli_login, "MAX_PENDING", await waiting())
        late = await cli_login.start(core, "198.51.100.1", "openmail-cli")  # every place is taken
        assert await waiting() == cli_login.MAX_PENDING
        assert await cli_login.fetch(core, late.request_id) is None


@pytest.mark.anyio
async def test_requests_expire(tmp_path: Path) -> None:
    async with running_api(tmp_path) as running:
        core = running.core
        first = await cli_login.start(core, None, "somewhere")
        await core.store.write(lambda tx: sql(tx).run("UPDATE cli_login SET expires_at = 1"))
        with pytest.raises(NotFound):
            await cli_login.approve(core, running.scope, first.user_code)
        with pytest.raises(NotFound):
            await cli_login.fetch(core, first.request_id)
        again = await cli_login.start(core, None, "somewhere")
        assert await core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM cli_login")) == 1
        narrow = replace(running.scope, permissions=frozenset({"api_key_create", "inbox_read"}))
        await cli_login.approve(core, narrow, again.user_code)
        key = await cli_login.fetch(core, again.request_id)
        reach = await core.keys.identify(core.store, key or "")
        assert reach is not None
        assert reach.permissions == frozenset({"api_key_create", "inbox_read"})
