"""Keys of a pod, an inbox and the account at /v1 (contract §2, §3, §7)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from gateway.store.sql import sql
from tests.api_openmail.calls import call, client
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until

FIELDS = {"id", "name", "podId", "inboxId", "tokenPrefix", "last4", "createdAt", "lastUsedAt"}
UNKNOWN = "key_" + "0" * 26


@pytest.fixture
def inbox(organization: Organization) -> dict[str, Any]:
    """An inbox in the pod ``p``."""
    call(organization, "POST", "pods", {"clientId": "p"})
    made: dict[str, Any] = call(organization, "POST", "inboxes", {"podId": "p"})
    return made


def test_a_pods_and_an_inboxs_key_have_these_fields(
    organization: Organization, inbox: dict[str, Any]
) -> None:
    for path, inbox_id in (("pods/p", None), (f"inboxes/{inbox['id']}", inbox["id"])):
        made = call(organization, "POST", f"{path}/api-keys", {"name": "agent"}, status=201)
        token = made.pop("token")
        assert re.fullmatch(r"om_[A-Za-z0-9]{43}", token)
        assert set(made) == FIELDS
        assert made["id"].startswith("key_")
        assert (made["name"], made["podId"], made["inboxId"]) == ("agent", inbox["podId"], inbox_id)
        assert token.startswith(made["tokenPrefix"])
        assert len(made["tokenPrefix"]) < 12
        assert token.endswith(made["last4"])
        assert made["lastUsedAt"] is None
        unnamed = call(organization, "POST", f"{path}/api-keys", {"name": None}, status=201)
        unnamed.pop("token")
        listed = call(organization, "GET", f"{path}/api-keys")
        assert listed == {"data": [unnamed, made]}
        call(organization, "GET", "inboxes", key=token)
        until(partial(_used, organization, f"{path}/api-keys"))


def _used(organization: Organization, path: str) -> Any:
    return call(organization, "GET", path)["data"][1]["lastUsedAt"]


def test_no_body_is_an_empty_one(organization: Organization, inbox: dict[str, Any]) -> None:
    with client(organization) as http:
        assert http.post("pods/p/api-keys").status_code == 201
        assert http.post(f"inboxes/{inbox['address']}/api-keys").status_code == 201


def test_a_revoked_key_is_refused_at_once(organization: Organization, inbox: dict[str, Any]) -> None:
    for path in ("pods/p", f"inboxes/{inbox['id']}"):
        made = call(organization, "POST", f"{path}/api-keys", {})
        call(organization, "GET", "inboxes", key=made["token"], status=200)
        assert call(organization, "DELETE", f"{path}/api-keys/{made['id']}", status=204) is None
        refused = call(organization, "GET", "inboxes", key=made["token"], status=401)
        assert refused == {
            "error": "unauthorized",
            "message": "Missing or invalid Authorization header",
            "fix": refused["fix"],
        }
        assert call(organization, "GET", f"{path}/api-keys") == {"data": []}
        assert (
            call(organization, "DELETE", f"{path}/api-keys/{made['id']}", status=404)["error"] == "not_found"
        )


def test_a_key_is_found_only_under_its_holder(
    gateway: GatewayProcess, organization: Organization, inbox: dict[str, Any]
) -> None:
    pod_key = call(organization, "POST", "pods/p/api-keys", {})
    inbox_key = call(organization, "POST", f"inboxes/{inbox['id']}/api-keys", {})
    account_key = call(organization, "POST", "api-keys", {"name": "a"})
    sister = call(organization, "POST", "inboxes", {"podId": "p"})
    other = gateway.new_organization()
    foreign = call(other, "POST", "api-keys", {"name": "a"})
    holders = {
        "pods/p/api-keys": pod_key,
        f"inboxes/{inbox['id']}/api-keys": inbox_key,
        "api-keys": account_key,
        f"inboxes/{sister['id']}/api-keys": None,
    }
    for path, own in holders.items():
        listed = [one["id"] for one in call(organization, "GET", path)["data"]]
        for key in (pod_key, inbox_key, account_key, foreign):
            assert (key["id"] in listed) == (key is own), (path, key)
            if key is not own:
                refused = call(organization, "DELETE", f"{path}/{key['id']}", status=404)
                assert refused["error"] == "not_found"
        for unknown in (UNKNOWN, "nope", "x" * 3000, "%ff", "%E2%80%AE"):
            call(organization, "DELETE", f"{path}/{unknown}", status=404)
    call(other, "GET", "inboxes", key=foreign["key"], status=200)
    for key in (pod_key["token"], inbox_key["token"], account_key["key"]):
        call(organization, "GET", "inboxes", key=key, status=200)


def test_twenty_keys_each_and_one_more_when_one_is_revoked(
    organization: Organization, inbox: dict[str, Any]
) -> None:
    def make(path: str) -> int:
        with client(organization) as http:
            return http.post(f"{path}/api-keys", json={}).status_code

    for path in (f"inboxes/{inbox['id']}", "pods/p"):  # the inbox's do not count among the pod's
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(make, [path] * 26))
        assert sorted(codes) == [201] * 20 + [422] * 6
        refused = call(organization, "POST", f"{path}/api-keys", {}, status=422)
        assert refused["error"] == "api_key_limit_reached"
        keys = call(organization, "GET", f"{path}/api-keys")["data"]
        assert len(keys) == 20
        call(organization, "DELETE", f"{path}/api-keys/{keys[0]['id']}", status=204)
        assert [make(path), make(path)] == [201, 422]
    sister = call(organization, "POST", "inboxes", {"podId": "p"})
    assert make(f"inboxes/{sister['id']}") == 201


def test_an_inbox_whose_pod_is_gone_gets_no_key(gateway: GatewayProcess, organization: Organization) -> None:
    pod = call(organization, "POST", "pods", {})
    inbox = call(organization, "POST", "inboxes", {"podId": pod["id"]})
    # nothing of ours does this
    gateway.database(lambda tx: sql(tx).run("DELETE FROM pod WHERE id = ?", pod["id"][4:]))
    refused = call(organization, "POST", f"inboxes/{inbox['id']}/api-keys", {}, status=409)
    assert refused["error"] == "inbox_has_no_pod"
    call(organization, "DELETE", f"inboxes/{inbox['id']}", status=204)


def test_account_wide_keys(organization: Organization) -> None:
    made = call(organization, "POST", "api-keys", {"name": "laptop"}, status=201)
    key = made.pop("key")
    assert key.startswith("om_")
    assert set(made) == {"id", "name", "keyPreview", "createdAt", "lastUsedAt"}
    assert made["keyPreview"].startswith(key[:6])
    assert made["keyPreview"].endswith(key[-4:])
    assert len(made["keyPreview"]) < 20
    listed = call(organization, "GET", "api-keys")
    assert set(listed) == {"data"}
    assert listed["data"][0] == made
    assert {one["name"] for one in listed["data"]} == {"laptop", "test"}
    second = call(organization, "POST", "api-keys", {"name": "x" * 100}, key=key, status=201)
    call(organization, "POST", "pods", {"clientId": "q"}, key=second["key"], status=201)
    call(organization, "DELETE", f"api-keys/{made['id']}", key=second["key"], status=204)
    call(organization, "GET", "api-keys", key=key, status=401)
    for _ in range(2):
        assert call(organization, "DELETE", f"api-keys/{made['id']}", status=204) is None
    call(organization, "DELETE", f"api-keys/{UNKNOWN}", status=404)


def test_another_accounts_revoked_key_is_not_there(
    gateway: GatewayProcess, organization: Organization
) -> None:
    other = gateway.new_organization()
    made = call(other, "POST", "api-keys", {"name": "theirs"})
    call(organization, "DELETE", f"api-keys/{made['id']}", status=404)
    call(other, "DELETE", f"api-keys/{made['id']}", status=204)
    call(organization, "DELETE", f"api-keys/{made['id']}", status=404)


def test_keys_of_both_dialects_work_on_both(organization: Organization, inbox: dict[str, Any]) -> None:
    made = call(organization, "POST", "api-keys", {"name": "here"})
    assert (
        Organization(organization.id, made["key"], organization.base_url).call("GET", "inboxes")["count"] == 1
    )
    there = organization.call("POST", "api-keys", json={"name": "there"})
    assert there["key"].startswith(there["prefix"])
    assert call(organization, "GET", "inboxes", key=there["key"])["total"] == 1
    shown = {one["name"]: one["keyPreview"] for one in call(organization, "GET", "api-keys")["data"]}
    assert shown["there"] == f"{there['key'][:10]}...{there['key'][-4:]}"
    listed = {one["name"]: one["prefix"] for one in organization.call("GET", "api-keys")["api_keys"]}
    assert listed["here"] == made["key"][:7]
    pod_there = organization.call("POST", f"pods/{inbox['podId']}/api-keys", json={"name": "pod there"})
    assert [one["name"] for one in call(organization, "GET", "pods/p/api-keys")["data"]] == ["pod there"]
    box_there = organization.call("POST", f"inboxes/{inbox['id']}/api-keys", json={"name": "box there"})
    (box,) = call(organization, "GET", f"inboxes/{inbox['id']}/api-keys")["data"]
    assert (box["name"], box["podId"], box["inboxId"]) == ("box there", inbox["podId"], inbox["id"])
    for key in (pod_there["key"], box_there["key"]):
        assert call(organization, "GET", "inboxes", key=key)["total"] == 1


def test_restricted_permissions_hold_here(organization: Organization, inbox: dict[str, Any]) -> None:
    def key(*names: str) -> str:
        body = {"name": "k", "permissions": dict.fromkeys(names, True)}
        return str(organization.call("POST", "api-keys", json=body)["key"])

    reader = key("inbox_read")
    call(organization, "GET", "inboxes", key=reader, status=200)
    path = f"inboxes/{inbox['id']}"
    for method, where, body in (
        ("POST", "inboxes", {}),
        ("PATCH", path, {"displayName": "x"}),
        ("DELETE", path, None),
        ("GET", "pods", None),
        ("POST", "pods", {}),
        ("PATCH", "pods/p", {}),
        ("DELETE", "pods/p", None),
        ("POST", "api-keys", {"name": "x"}),
        ("GET", "api-keys", None),
        ("POST", f"{path}/api-keys", {}),
        ("GET", "pods/p/api-keys", None),
        ("DELETE", f"api-keys/{UNKNOWN}", None),
    ):
        refused = call(organization, method, where, body, key=reader, status=403)
        assert refused["error"] == "forbidden", where
    hooks = {"webhookUrl": "http://127.0.0.1:8099/hook"}
    call(organization, "POST", "inboxes", hooks, key=key("inbox_create"), status=403)
    call(organization, "PATCH", path, hooks, key=key("inbox_update"), status=403)
    minter = key("api_key_create", "inbox_read", "message_read")
    token = call(organization, "POST", f"{path}/api-keys", {}, key=minter)["token"]
    call(organization, "GET", f"{path}/messages", key=token, status=200)
    shown = Organization(organization.id, token, organization.base_url).client()
    with shown as http:
        assert http.patch(path, json={"display_name": "x"}).status_code == 403
    wide = call(organization, "POST", "api-keys", {"name": "no wider"}, key=minter)["key"]
    call(organization, "POST", "inboxes", {}, key=wide, status=403)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("pods/p/api-keys", {"name": "x" * 256}, "name"),
        ("pods/p/api-keys", {"name": 1}, "name"),
        ("pods/p/api-keys", {"name": "a\u0000b"}, "name"),
        ("pods/p/api-keys", [], "body"),
        ("api-keys", {}, "name"),
        ("api-keys", {"name": None}, "name"),
        ("api-keys", {"name": ""}, "name"),
        ("api-keys", {"name": "  "}, "name"),
        ("api-keys", {"name": "x" * 101}, "name"),
        ("api-keys", {"name": ["x"]}, "name"),
    ],
)
def test_what_a_key_is_not_made_of(
    organization: Organization, inbox: dict[str, Any], path: str, body: Any, field: str
) -> None:
    before = call(organization, "GET", path)
    refused = call(organization, "POST", path, body, status=400)
    assert (refused["error"], refused["field"]) == ("bad_request", field)
    assert len(call(organization, "GET", path)["data"]) == len(before["data"])
