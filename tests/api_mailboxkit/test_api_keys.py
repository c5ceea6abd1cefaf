"""API keys and the organization at /api/v1."""

from __future__ import annotations

import re

import pytest

from tests.api_mailboxkit.calls import answer, call, made
from tests.support.gateway_process import Organization


@pytest.mark.parametrize(("test", "prefix"), [(False, "mbk_live_"), (True, "mbk_test_")])
def test_a_key_is_shown_once_and_works(organization: Organization, test: bool, prefix: str) -> None:
    got = answer(organization, "POST", "api_keys", {"name": "Production Key", "test": test})
    assert got.status_code == 201
    assert got.json()["message"] == "Store this key securely. It will not be shown again."
    assert got.headers["Cache-Control"] == "no-store"
    made_key = got.json()["data"]
    key = made_key["key"]
    assert re.fullmatch(prefix + "[0-9A-Za-z]{43}", key)
    assert made_key["name"] == "Production Key"
    assert call(organization, "GET", "organization", key=key) == call(organization, "GET", "organization")
    shown = answer(organization, "GET", f"api_keys/{made_key['id']}")
    listed = answer(organization, "GET", "api_keys")
    for text in (shown.text, listed.text):
        assert key not in text
        assert key[-20:] not in text
    masked = shown.json()["data"]
    assert masked["key"].startswith(prefix)
    assert masked["key"].endswith(key[-4:])
    assert masked["test"] is test
    assert listed.json()["data"][0]["id"] == made_key["id"]


def test_a_revoked_key_is_refused_at_once(organization: Organization) -> None:
    made_key = made(organization, "api_keys", {"name": "a"})
    call(organization, "GET", "inboxes", key=made_key["key"])
    assert answer(organization, "DELETE", f"api_keys/{made_key['id']}").status_code == 204
    refused = call(organization, "GET", "inboxes", key=made_key["key"], status=401)
    assert refused["message"] == "Unauthenticated."
    call(organization, "GET", f"api_keys/{made_key['id']}", status=404)


def test_a_key_may_revoke_itself(organization: Organization) -> None:
    made_key = made(organization, "api_keys", {"name": "a"})
    call(organization, "DELETE", f"api_keys/{made_key['id']}", key=made_key["key"])
    call(organization, "GET", "inboxes", key=made_key["key"], status=401)


def test_a_test_key_makes_only_test_keys(organization: Organization) -> None:
    sandbox = made(organization, "api_keys", {"name": "a", "test": True})
    child = made(organization, "api_keys", {"name": "b"}, key=sandbox["key"])
    assert child["key"].startswith("mbk_test_")
    assert child["test"] is True


@pytest.mark.parametrize(
    ("body", "field"), [({}, "name"), ({"name": ""}, "name"), ({"name": "a", "test": "yes"}, "test")]
)
def test_a_wrong_key_is_refused_by_field(
    organization: Organization, body: dict[str, str], field: str
) -> None:
    assert list(call(organization, "POST", "api_keys", body, status=422)["errors"]) == [field]


def test_keys_work_in_every_dialect(organization: Organization) -> None:
    key = made(organization, "api_keys", {"name": "a"})["key"]
    with organization.client() as http:
        bearer = {"Authorization": f"Bearer {key}"}
        assert http.get("inboxes", headers=bearer).status_code == 200
        assert http.get(f"{organization.base_url}/v1/inboxes", headers=bearer).status_code == 200
    theirs = organization.call("POST", "api-keys", json={"name": "from v0"})
    assert call(organization, "GET", "organization", key=theirs["api_key"])["data"]["name"] == "Test"
    assert "from v0" in [one["name"] for one in call(organization, "GET", "api_keys")["data"]]


def test_a_key_of_one_inbox_reaches_that_inbox_only(organization: Organization) -> None:
    own, other = (made(organization, "inboxes", {"name": name}) for name in ("own", "other"))
    narrow = organization.call("POST", f"inboxes/{own['email']}/api-keys", json={"name": "narrow"})["api_key"]
    assert [one["id"] for one in call(organization, "GET", "inboxes", key=narrow)["data"]] == [own["id"]]
    call(organization, "GET", f"inboxes/{own['id']}", key=narrow)
    for method, path, body in (
        ("GET", f"inboxes/{other['id']}", None),
        ("DELETE", f"inboxes/{other['id']}", None),
        ("POST", "inboxes", {"name": "a"}),
        ("POST", "domains", {"name": f"n{own['id']}.example"}),
    ):
        assert call(organization, method, path, body, key=narrow, status=403)["error"] == "forbidden"
    child = made(organization, "api_keys", {"name": "child"}, key=narrow)
    assert [one["id"] for one in call(organization, "GET", "inboxes", key=child["key"])["data"]] == [
        own["id"]
    ]
    assert len(call(organization, "GET", "api_keys", key=narrow)["data"]) == 2


def test_the_organization_counts_what_it_has(organization: Organization) -> None:
    before = call(organization, "GET", "organization")["data"]
    counts = ("inboxes_count", "messages_count", "domains_count")
    assert [before[name] for name in counts] == [0, 0, 0]
    inbox = made(organization, "inboxes", {"name": "a"})
    made(organization, "domains", {"name": f"d{inbox['id']}.example"})
    body = {"to": [inbox["email"]], "subject": "s", "text": "t"}
    organization.call("POST", f"inboxes/{inbox['email']}/messages/send", json=body)
    after = call(organization, "GET", "organization")["data"]
    assert (after["inboxes_count"], after["domains_count"]) == (1, 1)
    assert after["messages_count"] >= 1
    assert {name: after[name] for name in ("id", "name", "created_at")} == {
        name: before[name] for name in ("id", "name", "created_at")
    }
