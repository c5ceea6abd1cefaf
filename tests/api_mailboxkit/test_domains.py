"""Domains at /api/v1: verified against a real name server, without DMARC, and the records to publish."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.api_mailboxkit.calls import answer, call, made
from tests.api_mailboxkit.conftest import Zones
from tests.support.gateway_process import GatewayProcess, Organization

FLAGS = ("mx_verified", "spf_verified", "dkim_verified", "dmarc_verified")


@pytest.fixture
def organization(proxied: GatewayProcess) -> Organization:
    """A fresh one, on the gateway that asks our name server."""
    return proxied.new_organization()


def new_name() -> str:
    return f"d{uuid.uuid4().hex[:10]}.test"


def publish(zones: Zones, name: str, records: dict[str, Any], *which: str) -> None:
    """Put the records into the DNS, as a person reads them in the answer."""
    for one in which:
        record = records[one]
        host = name if record["host"] == "@" else f"{record['host']}.{name}"
        value = record["value"]
        strings = " ".join(f'"{value[at : at + 250]}"' for at in range(0, len(value), 250))
        text = f"{record['priority']} {value}." if record["type"] == "MX" else strings
        zones[(host, record["type"])] = [*(zones.get((host, record["type"])) or []), text]


def flags(domain: dict[str, Any]) -> list[bool]:
    return [domain[name] for name in FLAGS]


def test_a_new_domain_is_not_verified(organization: Organization) -> None:
    name = new_name()
    got = answer(organization, "POST", "domains", {"name": name.upper()})
    assert got.status_code == 201
    domain = got.json()["data"]
    assert type(domain["id"]) is int
    assert domain["name"] == name
    assert domain["is_verified"] is False
    assert flags(domain) == [False] * 4
    assert domain["verified_at"] is None
    for ref in (domain["id"], name):
        assert call(organization, "GET", f"domains/{ref}") == {"data": domain}
    assert call(organization, "GET", "domains")["data"] == [domain]


def test_the_records_have_relative_hosts_and_the_key_that_signs(
    proxied: GatewayProcess, organization: Organization
) -> None:
    domain = made(organization, "domains", {"name": f"email.{new_name()}"})
    dns = call(organization, "GET", f"domains/{domain['id']}/dns")["data"]
    assert list(dns) == ["mx", "spf", "dkim", "dmarc"]
    assert dns["mx"] == {"type": "MX", "host": "@", "value": "mail.postern.test", "priority": 10}
    assert (dns["spf"]["type"], dns["spf"]["host"]) == ("TXT", "@")
    assert dns["spf"]["value"].startswith("v=spf1 ")
    assert (dns["dkim"]["type"], dns["dkim"]["host"]) == ("TXT", "dkim._domainkey")
    assert (dns["dmarc"]["type"], dns["dmarc"]["host"]) == ("TXT", "_dmarc")
    assert dns["dmarc"]["value"].startswith("v=DMARC1; p=")
    assert all("priority" not in dns[name] for name in ("spf", "dkim", "dmarc"))
    load_der_public_key(base64.b64decode(dns["dkim"]["value"].partition("p=")[2]))


def test_a_domain_is_verified_without_dmarc(organization: Organization, zones: Zones) -> None:
    name = new_name()
    domain = made(organization, "domains", {"name": name})
    path = f"domains/{domain['id']}"
    dns = call(organization, "GET", f"{path}/dns")["data"]

    publish(zones, name, dns, "mx", "dkim")
    got = answer(organization, "POST", f"{path}/verify")
    assert got.status_code == 200
    half = got.json()["data"]
    assert flags(half) == [True, False, True, False]
    assert (half["is_verified"], half["verified_at"]) == (False, None)

    publish(zones, name, dns, "spf")
    done = call(organization, "POST", f"{path}/verify")["data"]
    assert flags(done) == [True, True, True, False]
    assert done["is_verified"] is True
    assert done["verified_at"].endswith("Z")
    assert len(done["verified_at"]) == len("2026-02-20T12:00:00Z")
    assert call(organization, "GET", path)["data"] == done

    publish(zones, name, dns, "dmarc")
    whole = call(organization, "POST", f"{path}/verify")["data"]
    assert flags(whole) == [True] * 4
    assert whole["verified_at"] == done["verified_at"]

    del zones[(name, "MX")]
    lost = call(organization, "POST", f"{path}/verify")["data"]
    assert flags(lost) == [False, True, True, True]
    assert (lost["is_verified"], lost["verified_at"]) == (False, None)


def test_another_domains_key_does_not_verify(organization: Organization, zones: Zones) -> None:
    mine, other = new_name(), new_name()
    domain, stranger = (made(organization, "domains", {"name": name}) for name in (mine, other))
    theirs = call(organization, "GET", f"domains/{stranger['id']}/dns")["data"]
    publish(zones, mine, theirs, "mx", "spf", "dkim", "dmarc")
    checked = call(organization, "POST", f"domains/{domain['id']}/verify")["data"]
    assert checked["dkim_verified"] is False
    assert checked["is_verified"] is False


def test_a_name_server_that_does_not_answer_verifies_nothing(
    organization: Organization, zones: Zones
) -> None:
    domain = made(organization, "domains", {"name": "silent.test"})
    checked = call(organization, "POST", f"domains/{domain['id']}/verify")["data"]
    assert flags(checked) == [False] * 4


@pytest.mark.parametrize(
    "name", ["", "no-dot", "-a.example", "a b.example", "x" * 300 + ".example", "a@b.example", 5]
)
def test_a_wrong_name_is_refused_by_field(organization: Organization, name: Any) -> None:
    assert list(call(organization, "POST", "domains", {"name": name}, status=422)["errors"]) == ["name"]


def test_a_name_is_required(organization: Organization) -> None:
    refused = call(organization, "POST", "domains", {}, status=422)
    assert refused["message"] == "The name field is required."


def test_a_taken_name_is_refused_whoever_holds_it(
    proxied: GatewayProcess, organization: Organization
) -> None:
    name = new_name()
    made(organization, "domains", {"name": name})
    for other in (organization, proxied.new_organization()):
        refused = call(other, "POST", "domains", {"name": name}, status=422)
        assert list(refused["errors"]) == ["name"]
        assert "taken" in refused["message"]
    call(organization, "POST", "domains", {"name": "postern.test"}, status=422)


def test_inboxes_live_on_a_domain_of_ones_own(proxied: GatewayProcess, organization: Organization) -> None:
    name = new_name()
    domain = made(organization, "domains", {"name": name})
    inbox = made(organization, "inboxes", {"name": "a", "email": f"Support@{name.upper()}"})
    assert inbox["email"] == f"support@{name}"
    stranger = proxied.new_organization()
    refused = call(stranger, "POST", "inboxes", {"name": "a", "email": f"b@{name}"}, status=422)
    assert list(refused["errors"]) == ["email"]
    call(organization, "DELETE", f"domains/{domain['id']}", status=409)
    call(organization, "DELETE", f"inboxes/{inbox['id']}")
    assert answer(organization, "DELETE", f"domains/{domain['id']}").status_code == 204
    call(organization, "GET", f"domains/{domain['id']}", status=404)


def test_a_domain_is_the_same_in_every_dialect(organization: Organization) -> None:
    name = new_name()
    made(organization, "domains", {"name": name})
    with organization.client() as http:
        assert http.get(f"domains/{name}").status_code == 200
        assert http.get(f"{organization.base_url}/v1/domains/{name}").status_code == 200
    other = new_name()
    organization.call("POST", "domains", json={"domain": other})
    assert call(organization, "GET", f"domains/{other}")["data"]["name"] == other


def test_the_platforms_domain_cannot_be_deleted(organization: Organization) -> None:
    refused = call(organization, "DELETE", "domains/postern.test", status=403)
    assert refused["error"] == "forbidden"
