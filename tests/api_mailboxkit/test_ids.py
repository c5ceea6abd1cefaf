"""Ids at /api/v1: numbers in answers, every spelling in paths, 404 for all else."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.records.ids import new_ulid
from tests.api_mailboxkit.calls import answer, call, client, made
from tests.support.gateway_process import GatewayProcess, Organization

GARBAGE = [
    "not-an-id",
    "%00",
    "1%00",
    "9" * 40,
    "0" * 24 + "9" * 16,
    "-1",
    "0",
    "1.0",
    "1e3",
    "%F0%9F%93%A7",
    "%FF%FE",
    "..%2F..",
    "'%20OR%201=1--",
    "null",
    "NaN",
    "٣",
    "x" * 3000,
    "inb_" + "z" * 26,
    "@",
    "a@postern.test",
]

PLACES = [
    ("GET", "inboxes/{}"),
    ("DELETE", "inboxes/{}"),
    ("GET", "api_keys/{}"),
    ("DELETE", "api_keys/{}"),
    ("GET", "domains/{}"),
    ("DELETE", "domains/{}"),
    ("GET", "domains/{}/dns"),
    ("POST", "domains/{}/verify"),
]


def test_an_inbox_answers_to_every_spelling(organization: Organization) -> None:
    inbox = made(organization, "inboxes", {"name": "a"})
    ulid = inbox["ulid"]
    spellings = [inbox["id"], ulid, ulid.lower(), f"inb_{ulid.lower()}", f"INB_{ulid}", inbox["email"]]
    for one in spellings:
        assert call(organization, "GET", f"inboxes/{one}")["data"] == inbox, one


def test_the_ids_of_the_other_dialects_do_here(organization: Organization) -> None:
    inbox = organization.new_inbox()
    with organization.client() as http:
        openmail = http.get(f"{organization.base_url}/v1/inboxes/{inbox['inbox_id']}").json()["id"]
    keys = organization.call("GET", "api-keys")["api_keys"]
    assert call(organization, "GET", f"inboxes/{openmail}")["data"]["email"] == inbox["email"]
    assert call(organization, "GET", f"api_keys/{keys[0]['api_key_id']}")["data"]["name"] == "test"


def test_an_id_in_a_body_does_in_every_spelling(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = made(organization, "inboxes", {"name": "a"})
    foreign = made(gateway.new_organization(), "inboxes", {"name": "a"})

    def search(inbox_id: object, status: int) -> None:
        body = {"query": "word", "inbox_id": inbox_id}
        call(organization, "POST", "messages/search", body, status=status)

    for one in (inbox["id"], str(inbox["id"]), inbox["ulid"], f"inb_{inbox['ulid'].lower()}"):
        search(one, 200)
    for one in (foreign["id"], foreign["ulid"], 10**39, "9" * 40, "not-an-id", "\x00", -1, 0, ""):
        search(one, 404)
    for one in (True, 1.5, [inbox["id"]], {"id": inbox["id"]}):
        search(one, 422)


def test_a_number_in_an_answer_can_be_held_by_javascript(organization: Organization) -> None:
    found = [made(organization, "inboxes", {"name": "a"}), made(organization, "api_keys", {"name": "k"})]
    found += [made(organization, "domains", {"name": f"{new_ulid()}.example"})]
    found += [call(organization, "GET", "organization")["data"]]
    for one in found:
        assert type(one["id"]) is int
        assert 0 < one["id"] < 2**53


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_garbage_is_404_everywhere(organization: Organization, method: str, path: str) -> None:
    with client(organization) as http:
        for garbage in [*GARBAGE, new_ulid(), f"msg_{new_ulid()}", 12345]:
            got = http.request(method, path.format(garbage))
            assert got.status_code == 404, (garbage, got.text)
            assert got.json()["error"] == "not_found"
            assert isinstance(got.json()["message"], str)


def test_what_belongs_to_others_is_not_there(gateway: GatewayProcess, organization: Organization) -> None:
    other = gateway.new_organization()
    theirs: dict[str, Any] = {
        "inboxes": made(other, "inboxes", {"name": "a"}),
        "api_keys": made(other, "api_keys", {"name": "a"}),
        "domains": made(other, "domains", {"name": f"{new_ulid()}.example"}),
    }
    for method, path in PLACES:
        held = theirs[path.split("/")[0]]
        for ref in (held["id"], held.get("ulid"), held["name"] if "domains" in path else None):
            if ref is None:
                continue
            foreign = answer(organization, method, path.format(ref))
            unknown = answer(organization, method, path.format(new_ulid()))
            assert foreign.status_code == unknown.status_code == 404
            assert set(foreign.json()) == set(unknown.json())
    for path, held in theirs.items():
        assert call(other, "GET", f"{path}/{held['id']}")["data"]["id"] == held["id"]
