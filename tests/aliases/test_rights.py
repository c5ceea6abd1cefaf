"""Who may make which alias, and what is said when he may not."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess, Organization

PLATFORM = "postern.test"


def fresh(what: str = "a") -> str:
    return f"{what}-{secrets.token_hex(4)}"


@pytest.fixture
def domain(gateway: GatewayProcess, organization: Organization) -> str:
    """A domain of the organization's own, for which mail is taken."""
    name = f"{fresh('d')}.test"
    organization.call("POST", "domains", json={"domain": name})
    assert gateway.postern("domain", "trust", name).returncode == 0
    return name


def refusal(
    organization: Organization, status: int, method: str, path: str, key: str | None = None, **body: Any
) -> dict[str, Any]:
    """The answer to a call that must be refused so."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with organization.client() as client:
        answer = client.request(method, path, json=body or None, headers=headers)
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    assert said["fix"]
    return said


def test_no_address_is_both(organization: Organization) -> None:
    box = organization.new_inbox()
    alias = f"{fresh()}@{PLATFORM}"
    said = refusal(organization, 403, "POST", "aliases", address=box["email"], inbox_ids=[box["inbox_id"]])
    assert "is the address of an inbox" in said["message"]
    organization.call("POST", "aliases", json={"address": alias, "inbox_ids": [box["inbox_id"]]})
    said = refusal(organization, 403, "POST", "inboxes", username=alias.partition("@")[0])
    assert "is taken" in said["message"]
    said = refusal(organization, 403, "POST", "aliases", address=alias, inbox_ids=[box["inbox_id"]])
    assert "exists already" in said["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"address": "a+sent-b@postern.test", "inbox_ids": ["x"]}, "address"),
        ({"address": "nowhere", "inbox_ids": ["x"]}, "address"),
        ({"address": "it's@postern.test", "inbox_ids": ["x"]}, "address"),
        ({"address": "sales@else.test", "inbox_ids": ["x"]}, "not one of this organization's"),
        ({"address": "sales@postern.test", "inbox_ids": []}, "or refuse it"),
        ({"address": "sales@postern.test", "inbox_ids": ["x"], "refused": True}, "or refuse it"),
        ({"address": "sales@postern.test", "inbox_ids": ["x"] * 51}, "50 inboxes at most"),
        ({"address": "sales@postern.test", "inbox_ids": ["a@far.test"]}, "there is no inbox"),
    ],
)
def test_what_cannot_be_an_alias(organization: Organization, body: dict[str, Any], words: str) -> None:
    with organization.client() as client:
        answer = client.post("aliases", json=body)
    assert answer.status_code in (400, 404), answer.text
    assert words in answer.json()["message"]


def test_others_aliases_do_not_exist(
    gateway: GatewayProcess, organization: Organization, domain: str
) -> None:
    box, stranger = organization.new_inbox(), gateway.new_organization()
    theirs = stranger.new_inbox()
    alias, own = f"{fresh()}@{PLATFORM}", f"{fresh()}@{domain}"
    organization.call("POST", "aliases", json={"address": alias, "inbox_ids": [box["inbox_id"]]})
    refusal(stranger, 404, "GET", f"aliases/{alias}")
    refusal(stranger, 404, "DELETE", f"aliases/{alias}")
    refusal(stranger, 403, "PUT", f"aliases/{alias}", inbox_ids=[theirs["inbox_id"]])
    refusal(stranger, 400, "PUT", f"aliases/{own}", inbox_ids=[theirs["inbox_id"]])
    refusal(stranger, 404, "PUT", f"aliases/{fresh()}@{PLATFORM}", inbox_ids=[box["inbox_id"]])
    refusal(stranger, 404, "PUT", f"domains/{domain}/catch-all", inbox_id=theirs["inbox_id"])
    assert stranger.call("GET", "aliases")["count"] == 0
    assert [one["address"] for one in organization.call("GET", "aliases")["aliases"]] == [alias]


def test_nobody_takes_all_of_the_platforms_domain(organization: Organization) -> None:
    box = organization.new_inbox()
    said = refusal(organization, 403, "PUT", f"domains/{PLATFORM}/catch-all", inbox_id=box["inbox_id"])
    assert "others use" in said["message"]


def test_keys_reach_as_far_as_their_inboxes(organization: Organization) -> None:
    pod = organization.call("POST", "pods", json={"name": fresh()})
    outside = organization.new_inbox()
    inside = organization.call("POST", f"pods/{pod['pod_id']}/inboxes", json={"username": fresh()})
    of_pod = organization.call("POST", f"pods/{pod['pod_id']}/api-keys", json={"name": "pod"})["api_key"]
    of_inbox = organization.call("POST", f"inboxes/{inside['inbox_id']}/api-keys", json={"name": "box"})[
        "api_key"
    ]
    mine, shared = f"{fresh()}@{PLATFORM}", f"{fresh()}@{PLATFORM}"
    refusal(organization, 403, "PUT", f"aliases/{mine}", of_inbox, inbox_ids=[inside["inbox_id"]])
    refusal(organization, 403, "PUT", f"aliases/{mine}", of_pod, inbox_ids=[outside["inbox_id"]])
    with organization.client() as client:
        client.headers["Authorization"] = f"Bearer {of_pod}"
        assert client.put(f"aliases/{mine}", json={"inbox_ids": [inside["inbox_id"]]}).status_code == 200
    both = [inside["inbox_id"], outside["inbox_id"]]
    organization.call("PUT", f"aliases/{shared}", json={"inbox_ids": both})
    refusal(organization, 403, "DELETE", f"aliases/{shared}", of_pod)
    refusal(organization, 403, "PUT", f"aliases/{shared}", of_pod, inbox_ids=[inside["inbox_id"]])


def test_pages_and_filters(organization: Organization, domain: str) -> None:
    boxes = [organization.new_inbox(), organization.new_inbox()]
    made = [f"{fresh()}@{domain}" for _ in range(5)]
    for number, address in enumerate(made):
        organization.call("PUT", f"aliases/{address}", json={"inbox_ids": [boxes[number % 2]["inbox_id"]]})
    page = organization.call("GET", "aliases?limit=3")
    more = organization.call("GET", f"aliases?limit=3&page_token={page['next_page_token']}")
    assert sorted(one["address"] for one in page["aliases"] + more["aliases"]) == sorted(made)
    of_one = organization.call("GET", f"aliases?inbox_id={boxes[1]['email']}")["aliases"]
    assert sorted(one["address"] for one in of_one) == sorted(made[1::2])
    assert organization.call("GET", f"aliases?domain={PLATFORM}")["count"] == 0


def test_a_domain_takes_its_aliases_along(organization: Organization, domain: str) -> None:
    box, alias = organization.new_inbox(), f"{fresh()}@{domain}"
    organization.call("PUT", f"aliases/{alias}", json={"inbox_ids": [box["inbox_id"]]})
    organization.call("PUT", f"domains/{domain}/catch-all", json={"inbox_id": box["inbox_id"]})
    organization.call("DELETE", f"domains/{domain}")
    assert organization.call("GET", "aliases")["count"] == 0
    organization.call("POST", "domains", json={"domain": domain})
    refusal(organization, 404, "GET", f"domains/{domain}/catch-all")
