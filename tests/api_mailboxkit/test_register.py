"""Registering at /api/v1: the flat answer, what is made, the limits, and no way round them."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from gateway.configuration import load_settings
from mailserver.networks import network_of
from tests.api_mailboxkit.calls import call
from tests.support.gateway_process import GatewayProcess, Organization

PER_ADDRESS, PER_OWNER = 5, 3


def register(
    gateway: GatewayProcess, owner: Any = "you@company.example", *, name: Any = "My Agent", **headers: str
) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/api/v1/register",
        json={"name": name, "owner_email": owner},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=30,
        trust_env=False,
    )


def organization_of(gateway: GatewayProcess, answer: httpx.Response) -> Organization:
    assert answer.status_code == 201, answer.text
    return Organization("", answer.json()["api_key"], gateway.base_url)


def test_one_call_gives_all_that_sending_takes(proxied: GatewayProcess) -> None:
    got = register(proxied, "Human.Owner@Example.com", x_forwarded_for="198.51.100.1")
    assert got.status_code == 201
    body = got.json()
    assert set(body) == {"api_key", "email", "inbox_id", "owner_email", "message"}
    assert re.fullmatch("mbk_[0-9A-Za-z]{43}", body["api_key"])
    assert body["owner_email"].lower() == "human.owner@example.com"
    assert body["email"].endswith("@postern.test")
    assert re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", body["inbox_id"])
    assert body["message"] == "Save your API key — it will not be shown again."
    assert got.headers["Cache-Control"] == "no-store"

    mine = organization_of(proxied, got)
    organization = call(mine, "GET", "organization")["data"]
    assert (organization["name"], organization["inboxes_count"]) == ("My Agent", 1)
    inbox = call(mine, "GET", f"inboxes/{body['inbox_id']}")["data"]
    assert (inbox["email"], inbox["name"]) == (body["email"], "My Agent")
    assert inbox["ulid"] == body["inbox_id"]
    with mine.client() as http:
        assert http.get("inboxes").json()["count"] == 1


def test_the_quick_start_runs(proxied: GatewayProcess) -> None:
    got = register(proxied, "quick@company.example", x_forwarded_for="198.51.100.3")
    mine, inbox = organization_of(proxied, got), got.json()["inbox_id"]
    body = {"to": ["customer@postern.test"], "subject": "Hello from your AI agent!", "text": "This was sent."}
    sent = call(mine, "POST", f"inboxes/{inbox}/messages/send", body, status=201)["data"]
    assert (sent["status"], sent["from_email"]) == ("queued", got.json()["email"])
    assert sent["id"] in [one["id"] for one in call(mine, "GET", f"inboxes/{inbox}/messages")["data"]]


def test_each_registration_is_an_organization_of_its_own(proxied: GatewayProcess) -> None:
    one, two = (
        organization_of(proxied, register(proxied, "twice@company.example", x_forwarded_for="198.51.100.2"))
        for _ in range(2)
    )
    inbox = call(one, "GET", "inboxes")["data"][0]
    call(two, "GET", f"inboxes/{inbox['id']}", status=404)
    assert call(one, "GET", "organization")["data"]["id"] != call(two, "GET", "organization")["data"]["id"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["name", "owner_email"]),
        ({"name": "a"}, ["owner_email"]),
        ({"owner_email": "a@b.example"}, ["name"]),
        ({"name": " ", "owner_email": ""}, ["name", "owner_email"]),
        ({"name": "x" * 256, "owner_email": "not an address"}, ["name", "owner_email"]),
        ({"name": 1, "owner_email": 2}, ["name", "owner_email"]),
        ({"name": "a", "owner_email": "a@b.example, c@d.example"}, ["owner_email"]),
        ({"name": "a", "owner_email": "a@b.example\r\nBcc: c@d.example"}, ["owner_email"]),
        ({"name": "a\x00b", "owner_email": "a@b.example"}, ["name"]),
    ],
)
def test_every_wrong_field_is_named(proxied: GatewayProcess, body: Any, wrong: list[str]) -> None:
    for _ in range(2):
        got = httpx.post(f"{proxied.base_url}/api/v1/register", json=body, trust_env=False)
        assert got.status_code == 422
        assert list(got.json()["errors"]) == wrong
        assert got.json()["message"].startswith(got.json()["errors"][wrong[0]][0])
        assert ("more error" in got.json()["message"]) == (len(wrong) > 1)


def refused(got: httpx.Response, most: int) -> None:
    assert got.status_code == 429, got.text
    assert (got.json()["message"], got.json()["error"]) == ("Too Many Attempts.", "rate_limited")
    assert 0 < int(got.headers["Retry-After"]) <= 3600
    assert (got.headers["X-RateLimit-Limit"], got.headers["X-RateLimit-Remaining"]) == (str(most), "0")


def test_an_owner_has_three_an_hour_in_any_case_from_anywhere(proxied: GatewayProcess) -> None:
    spellings = ["boss@firm.example", "BOSS@firm.example", "Boss@FIRM.example", " boss@firm.example"]
    for number, owner in enumerate(spellings[:PER_OWNER]):
        organization_of(proxied, register(proxied, owner, x_forwarded_for=f"198.51.100.{10 + number}"))
    refused(register(proxied, spellings[3], x_forwarded_for="198.51.100.20"), PER_OWNER)
    organization_of(proxied, register(proxied, "other@firm.example", x_forwarded_for="198.51.100.20"))


def test_a_proxys_clients_are_told_apart_by_what_the_proxy_adds(proxied: GatewayProcess) -> None:
    for number in range(PER_ADDRESS):  # what the client itself wrote stands to the left
        forged = f"192.0.2.{number}, 198.51.100.30"
        organization_of(proxied, register(proxied, f"p{number}@a.example", x_forwarded_for=forged))
    refused(register(proxied, "p5@a.example", x_forwarded_for="192.0.2.99, 198.51.100.30"), PER_ADDRESS)
    organization_of(proxied, register(proxied, "p6@a.example", x_forwarded_for="198.51.100.31"))


def test_one_ipv6_network_is_one_caller(proxied: GatewayProcess) -> None:
    for number in range(PER_ADDRESS):
        at = f"2001:db8:0:1:{number}::1"
        organization_of(proxied, register(proxied, f"v{number}@a.example", x_forwarded_for=at))
    refused(register(proxied, "v9@a.example", x_forwarded_for="2001:db8:0:1:ffff::9"), PER_ADDRESS)
    organization_of(proxied, register(proxied, "v9@a.example", x_forwarded_for="2001:db8:0:2::1"))


def reopen(gateway: GatewayProcess, enabled: bool) -> None:
    """Let it register, or not."""
    if gateway.settings["register__enabled"] is not enabled:
        gateway.settings["register__enabled"] = enabled
        gateway.restart()


def test_it_can_be_switched_off(strict: GatewayProcess) -> None:
    reopen(strict, False)
    got = register(strict)
    assert got.status_code == 403
    assert got.json()["error"] == "forbidden"
    assert "register.enabled" in got.json()["fix"]


def test_a_forged_header_does_not_evade_and_a_restart_forgets_nothing(strict: GatewayProcess) -> None:
    reopen(strict, True)
    for number in range(PER_ADDRESS):
        got = register(strict, f"d{number}@a.example", x_forwarded_for=f"203.0.113.{number}")
        organization_of(strict, got)
    for number, header in enumerate(("x_forwarded_for", "forwarded", "x_real_ip", "cf_connecting_ip")):
        value = f"for=203.0.113.{number + 9}" if header == "forwarded" else f"203.0.113.{number + 9}"
        refused(register(strict, f"e{number}@a.example", **{header: value}), PER_ADDRESS)
    strict.restart()
    refused(register(strict, "late@a.example"), PER_ADDRESS)


def test_it_is_closed_unless_the_operator_opens_it() -> None:
    assert load_settings(environ={})[0].register.enabled is False
    assert load_settings(overrides={"profile": "development"}, environ={})[0].register.enabled is True


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        (None, "local"),
        ("", "local"),
        ("not an address", "local"),
    ],
)
def test_whom_an_address_is_counted_with(address: str | None, network: str) -> None:
    assert network_of(address) == network
