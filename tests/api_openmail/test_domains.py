"""Custom domains at /v1: records, verification against DNS, pods, and when one may be deleted (contract §11)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.servers import NameServer

Zones = dict[tuple[str, str], list[str] | None]


@pytest.fixture(scope="module")
def zones() -> Zones:
    return {}


@pytest.fixture(scope="module")
def gateway(zones: Zones, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that asks a name server with these zones."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(NameServer(zones)) as dns,
        running_gateway(
            tmp_path_factory.mktemp("domains"), dns__nameservers=["127.0.0.1"], dns__port=dns.port
        ) as running,
    ):
        yield running


def new_domain() -> str:
    return f"d{uuid.uuid4().hex[:10]}.test"


def publish(zones: Zones, domain: dict[str, Any]) -> None:
    """Put the records that a domain asks for into the DNS, as its owner would."""
    for record in domain["records"]:
        value = record["value"]
        strings = " ".join(f'"{value[at : at + 250]}"' for at in range(0, len(value), 250))
        text = f"{record['priority']} {value}." if record["type"] == "MX" else strings
        zones[(record["name"], record["type"])] = [text]


def verified(organization: Organization, zones: Zones, **fields: Any) -> str:
    """A verified domain of the account."""
    made = call(organization, "POST", "domains", {"domain": new_domain(), **fields})
    publish(zones, made)
    assert call(organization, "POST", f"domains/{made['id']}/verify")["status"] == "verified"
    return str(made["id"])


def test_a_domain_is_verified_when_dns_has_its_records(organization: Organization, zones: Zones) -> None:
    name = new_domain()
    made = call(organization, "POST", "domains", {"domain": name.upper()}, status=201)
    assert (made["id"], made["domain"], made["podId"], made["status"]) == (name, name, None, "pending")
    assert [(row["type"], row["name"], row["status"]) for row in made["records"]] == [
        ("MX", name, "missing"),
        ("TXT", name, "missing"),
        ("TXT", f"dkim._domainkey.{name}", "missing"),
        ("TXT", f"_dmarc.{name}", "missing"),
    ]
    assert call(organization, "POST", f"domains/{name}/verify")["status"] == "pending"
    refused = call(organization, "POST", "inboxes", {"mailboxName": "early", "domain": name}, status=400)
    assert refused["error"] == "invalid_domain"
    publish(zones, made)
    done = call(organization, "POST", f"domains/{name}/verify")
    assert done["status"] == "verified"
    assert {row["status"] for row in done["records"]} == {"valid"}
    assert done["verifiedAt"].endswith("Z")
    assert call(organization, "GET", f"domains/{name}") == done
    assert call(organization, "GET", "domains") == {"data": [done], "total": 1}
    inbox = call(organization, "POST", "inboxes", {"mailboxName": "first", "domain": name})
    assert inbox["address"] == f"first@{name}"
    default = call(organization, "POST", "inboxes", {})
    assert not default["address"].endswith(name)
    zones[(f"_dmarc.{name}", "TXT")] = ['"v=DMARC1; p=nonsense"']
    assert call(organization, "POST", f"domains/{name}/verify")["status"] == "invalid"


def test_a_domain_of_one_pod_serves_that_pod(organization: Organization, zones: Zones) -> None:
    pod = call(organization, "POST", "pods", {"name": "sales"})["id"]
    name = verified(organization, zones, podId=pod)
    assert call(organization, "GET", f"domains/{name}")["podId"] == pod
    refused = call(organization, "POST", "inboxes", {"domain": name}, status=400)
    assert refused["error"] == "invalid_domain"
    call(organization, "POST", "inboxes", {"domain": name, "podId": pod})
    call(organization, "DELETE", f"pods/{pod}", status=409)
    assert call(organization, "PATCH", f"domains/{name}", {"podId": None})["podId"] is None
    call(organization, "POST", "inboxes", {"domain": name})
    refused = call(organization, "PATCH", f"domains/{name}", {"podId": pod}, status=409)
    assert refused["error"] == "domain_in_use"


def test_a_domain_with_inboxes_stays(organization: Organization, zones: Zones) -> None:
    name = verified(organization, zones)
    inbox = call(organization, "POST", "inboxes", {"domain": name})["id"]
    assert call(organization, "DELETE", f"domains/{name}", status=409)["error"] == "domain_in_use"
    call(organization, "DELETE", f"inboxes/{inbox}", status=204)
    call(organization, "DELETE", f"domains/{name}", status=204)
    call(organization, "GET", f"domains/{name}", status=404)


def test_a_taken_or_malformed_name_is_refused(organization: Organization, gateway: GatewayProcess) -> None:
    name = new_domain()
    call(organization, "POST", "domains", {"domain": name})
    stranger = gateway.new_organization()
    for asker in (organization, stranger):
        refused = call(asker, "POST", "domains", {"domain": name}, status=409)
        assert (refused["error"], refused["field"]) == ("domain_taken", "domain")
    call(stranger, "GET", f"domains/{name}", status=404)
    call(stranger, "DELETE", f"domains/{name}", status=404)
    assert call(stranger, "GET", "domains") == {"data": [], "total": 0}
    for bad in ("", "nodot", "a b.c", "-", "x" * 300 + ".test"):
        refused = call(organization, "POST", "domains", {"domain": bad}, status=400)
        assert refused["error"] == "invalid_domain", bad
    for wrong in ({}, {"domain": 1}, {"domain": ["x.test"]}):
        assert call(organization, "POST", "domains", wrong, status=400)["field"] == "domain"
    call(organization, "POST", "domains", {"domain": new_domain(), "podId": "pod_none"}, status=404)


def test_domains_take_an_account_key(organization: Organization) -> None:
    pod = call(organization, "POST", "pods", {})["id"]
    key = call(organization, "POST", f"pods/{pod}/api-keys", {})["token"]
    for method, path, body in (
        ("POST", "domains", {"domain": new_domain()}),
        ("GET", "domains", None),
        ("POST", "domains/x.test/verify", None),
        ("DELETE", "domains/x.test", None),
    ):
        assert call(organization, method, path, body, key=key, status=403)["error"] == "forbidden"
