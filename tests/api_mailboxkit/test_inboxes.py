"""Inboxes at /api/v1: shapes, refusals, lists, and the same inbox in the other two dialects."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest

from tests.api_mailboxkit.calls import answer, call, made
from tests.support.gateway_process import GatewayProcess, Organization

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_a_created_inbox_has_the_documented_shape(organization: Organization) -> None:
    address = f"support-{secrets.token_hex(4)}@postern.test"
    got = answer(organization, "POST", "inboxes", {"name": "Support Agent", "email": address})
    assert got.status_code == 201
    inbox = got.json()["data"]
    assert set(got.json()) == {"data"}
    assert type(inbox["id"]) is int
    assert type(inbox["organization_id"]) is int
    assert (inbox["name"], inbox["email"]) == ("Support Agent", address)
    assert TIME.fullmatch(inbox["created_at"])
    assert inbox["organization_id"] == call(organization, "GET", "organization")["data"]["id"]
    assert call(organization, "GET", f"inboxes/{inbox['id']}") == {"data": inbox}
    assert call(organization, "GET", "inboxes")["data"] == [inbox]


def test_without_an_address_it_gets_one_on_the_platform_domain(organization: Organization) -> None:
    one, two = (made(organization, "inboxes", {"name": "A"}) for _ in range(2))
    assert one["email"].endswith("@postern.test")
    assert one["email"] != two["email"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a\r\nBcc: b@example.com"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a", "email": "no-at-sign"}, "email"),
        ({"name": "a", "email": "@postern.test"}, "email"),
        ({"name": "a", "email": "a b@postern.test"}, "email"),
        ({"name": "a", "email": "a+sent-tag@postern.test"}, "email"),
        ({"name": "a", "email": "a@elsewhere.example"}, "email"),
        ({"name": "a", "email": "a@b@postern.test"}, "email"),
        ({"name": "a", "email": ["a@postern.test"]}, "email"),
    ],
)
def test_a_wrong_body_names_the_field(organization: Organization, body: Any, field: str) -> None:
    refused = call(organization, "POST", "inboxes", body, status=422)
    assert list(refused["errors"]) == [field]
    assert refused["message"] == refused["errors"][field][0]


def test_a_taken_address_is_refused_whoever_holds_it(
    gateway: GatewayProcess, organization: Organization
) -> None:
    address = f"taken-{secrets.token_hex(4)}@postern.test"
    made(organization, "inboxes", {"name": "first", "email": address})
    for other in (organization, gateway.new_organization()):
        refused = call(other, "POST", "inboxes", {"name": "a", "email": address.upper()}, status=422)
        assert "email" in refused["errors"]
        assert "taken" in refused["message"]


def test_a_deleted_inbox_is_gone(organization: Organization) -> None:
    inbox = made(organization, "inboxes", {"name": "a"})
    got = answer(organization, "DELETE", f"inboxes/{inbox['id']}")
    assert (got.status_code, got.content) == (204, b"")
    assert call(organization, "GET", f"inboxes/{inbox['id']}", status=404)["error"] == "not_found"
    call(organization, "DELETE", f"inboxes/{inbox['id']}", status=404)
    assert call(organization, "GET", "inboxes")["data"] == []


def test_lists_are_paged_newest_first(organization: Organization) -> None:
    inboxes = [made(organization, "inboxes", {"name": f"n{number}"}) for number in range(5)]
    first = call(organization, "GET", "inboxes?per_page=2&trace=x%20y")
    assert [one["name"] for one in first["data"]] == ["n4", "n3"]
    assert first["meta"] == {"current_page": 1, "last_page": 3, "per_page": 2, "total": 5}
    links = first["links"]
    assert links["prev"] is None
    assert links["first"].startswith(f"{organization.base_url}/api/v1/inboxes?")
    names = [one["name"] for one in first["data"]]
    while links["next"]:
        assert "trace=x+y" in links["next"]
        page = call(organization, "GET", links["next"].partition("/api/v1/")[2])
        names += [one["name"] for one in page["data"]]
        links = page["links"]
    assert names == [one["name"] for one in reversed(inboxes)]
    past = call(organization, "GET", "inboxes?page=9&per_page=2")
    assert past["data"] == []
    assert past["meta"]["current_page"] == 9
    assert past["links"]["prev"].endswith("page=3&per_page=2")


@pytest.mark.parametrize(
    ("query", "page", "per_page"),
    [
        ("", 1, 15),
        ("page=0&per_page=0", 1, 15),
        ("page=-1&per_page=-5", 1, 15),
        ("page=two&per_page=many", 1, 15),
        ("per_page=1000", 1, 100),
        (f"page={'9' * 40}", 10**13, 15),
    ],
)
def test_paging_never_refuses(organization: Organization, query: str, page: int, per_page: int) -> None:
    meta = call(organization, "GET", f"inboxes?{query}")["meta"]
    assert (meta["current_page"], meta["per_page"], meta["last_page"]) == (page, per_page, 1)


def test_the_three_dialects_show_one_inbox(organization: Organization) -> None:
    ours = made(organization, "inboxes", {"name": "Shared"})
    with organization.client() as http:
        v0 = http.get(f"inboxes/{ours['email']}").json()
        v1 = http.get(f"{organization.base_url}/v1/inboxes/{ours['email']}").json()
    assert v0["display_name"] == v1["displayName"] == "Shared"
    theirs = [
        organization.new_inbox(display_name="From v0")["inbox_id"],
        _openmail_inbox(organization)["address"],
    ]
    for address, name in zip(theirs, ("From v0", "From v1"), strict=True):
        assert call(organization, "GET", f"inboxes/{address}")["data"]["name"] == name
    assert call(organization, "GET", "organization")["data"]["inboxes_count"] == 3
    call(organization, "DELETE", f"inboxes/{ours['id']}")
    with organization.client() as http:
        assert http.get(f"inboxes/{ours['email']}").status_code == 404


def _openmail_inbox(organization: Organization) -> Any:
    with organization.client() as http:
        return http.post(f"{organization.base_url}/v1/inboxes", json={"displayName": "From v1"}).json()
