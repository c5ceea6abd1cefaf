"""Pods at /v1 (contract §2, §3)."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.api_openmail.calls import call, client
from tests.support.gateway_process import GatewayProcess, Organization

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_pod_has_these_fields_and_the_default_comes_first(organization: Organization) -> None:
    (default,) = call(organization, "GET", "pods")["data"]
    assert default["isDefault"] is True
    assert default["clientId"] is None
    made = call(organization, "POST", "pods", {"clientId": "user-1", "name": "Ann"}, status=201)
    assert set(made) == {"id", "clientId", "name", "isDefault", "createdAt"}
    assert made["id"].startswith("pod_")
    assert (made["clientId"], made["name"], made["isDefault"]) == ("user-1", "Ann", False)
    assert TIME.fullmatch(made["createdAt"])
    bare = call(organization, "POST", "pods", {"clientId": None, "name": None}, status=201)
    assert (bare["clientId"], bare["name"]) == (None, None)
    listed = call(organization, "GET", "pods")
    assert listed == {"data": [default, bare, made], "total": 3}
    assert call(organization, "GET", f"pods/{made['id']}") == made
    assert [one["name"] for one in organization.call("GET", "pods")["data"] if one["name"] == "Ann"]


def test_paging_clamps_and_never_refuses(organization: Organization) -> None:
    for _ in range(3):
        call(organization, "POST", "pods", {})
    ids = [one["id"] for one in call(organization, "GET", "pods")["data"]]
    cases = {
        "limit=2": ids[:2],
        "limit=2&offset=1": ids[1:3],
        "limit=+2&offset=3": ids[3:],
        "offset=99999999999999999999999": [],
        "limit=1000": ids,
        "limit=0": ids,
        "limit=-1": ids,
        "limit=many&offset=few": ids,
        "limit=1.5&offset=-4": ids,
        "limit=&offset=": ids,
        "limit=²": ids,
        f"limit={'9' * 5000}": ids,
    }
    for query, wanted in cases.items():
        found = call(organization, "GET", f"pods?{query}", status=200)
        assert ([one["id"] for one in found["data"]], found["total"]) == (wanted, 4), query


def test_a_page_has_fifty_rows_unless_asked_and_a_hundred_at_most(
    gateway: GatewayProcess, organization: Organization
) -> None:

    def more(tx: Tx) -> None:
        row = sql(tx).row(
            "SELECT id, organization_id FROM pod WHERE organization_id = ?", organization.id[4:]
        )
        assert row is not None
        for n in range(110):
            sql(tx).insert(
                "pod",
                {
                    "id": f"{row['id'][:20]}{n:06}",
                    "organization_id": row["organization_id"],
                    "is_default": 0,
                    "created_at": n,
                    "updated_at": 0,
                },
            )

    gateway.database(more)
    for query, shown in {"": 50, "?limit=500": 100, "?limit=100&offset=100": 11}.items():
        found = call(organization, "GET", f"pods{query}")
        assert (len(found["data"]), found["total"]) == (shown, 111), query
    assert call(organization, "GET", "pods?limit=1")["data"][0]["isDefault"] is True


def test_a_client_id_stands_for_the_pod_everywhere(organization: Organization) -> None:
    odd = "tenant/7 ü@x.test"
    pod = call(organization, "POST", "pods", {"clientId": odd})
    path = f"pods/{quote(odd, safe='')}"
    assert call(organization, "GET", path) == pod
    assert call(organization, "PATCH", path, {"name": "Seven"})["name"] == "Seven"
    inbox = call(organization, "POST", "inboxes", {"podId": odd})
    assert inbox["podId"] == pod["id"]
    listed = call(organization, "GET", f"inboxes?podId={quote(odd, safe='')}")
    assert [one["id"] for one in listed["data"]] == [inbox["id"]]
    key = call(organization, "POST", f"{path}/api-keys", {})
    assert key["podId"] == pod["id"]
    assert [one["id"] for one in call(organization, "GET", f"{path}/api-keys")["data"]] == [key["id"]]
    call(organization, "DELETE", f"{path}/api-keys/{key['id']}", status=204)
    call(organization, "DELETE", f"inboxes/{inbox['id']}", status=204)
    call(organization, "DELETE", path, status=204)
    assert call(organization, "GET", path, status=404)["error"] == "not_found"


def test_a_pods_id_wins_over_a_client_id_that_looks_like_it(organization: Organization) -> None:
    first = call(organization, "POST", "pods", {})
    call(organization, "POST", "pods", {"clientId": first["id"]})
    assert call(organization, "GET", f"pods/{first['id']}") == first


def test_a_client_id_is_unique_in_its_account(gateway: GatewayProcess, organization: Organization) -> None:
    call(organization, "POST", "pods", {"clientId": "twice"})
    refused = call(organization, "POST", "pods", {"clientId": "twice"}, status=409)
    assert (refused["error"], refused["field"]) == ("duplicate_client_id", "clientId")
    other = call(organization, "POST", "pods", {"clientId": "once"})
    refused = call(organization, "PATCH", f"pods/{other['id']}", {"clientId": "twice"}, status=409)
    assert refused["error"] == "duplicate_client_id"
    assert call(organization, "GET", f"pods/{other['id']}")["clientId"] == "once"
    assert call(organization, "PATCH", "pods/once", {"clientId": "once"})["clientId"] == "once"
    call(gateway.new_organization(), "POST", "pods", {"clientId": "twice"}, status=201)
    assert call(organization, "GET", "pods")["total"] == 3


def test_of_many_pods_with_one_client_id_one_is_made(organization: Organization) -> None:
    def make(_: int) -> int:
        with client(organization) as http:
            return http.post("pods", json={"clientId": "race"}).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(make, range(8)))
    assert sorted(codes) == [201] + [409] * 7


def test_patch_keeps_what_is_absent_and_clears_what_is_null(organization: Organization) -> None:
    pod = call(organization, "POST", "pods", {"clientId": "c", "name": "n"})
    path = f"pods/{pod['id']}"
    assert call(organization, "PATCH", path, {}) == pod
    assert call(organization, "PATCH", path, {"name": "m"}) == pod | {"name": "m"}
    assert call(organization, "PATCH", path, {"clientId": "d"}) == pod | {"name": "m", "clientId": "d"}
    assert call(organization, "PATCH", path, {"name": None}) == pod | {"name": None, "clientId": "d"}
    assert call(organization, "PATCH", path, {"clientId": None}) == pod | {"name": None, "clientId": None}
    assert call(organization, "GET", path) == pod | {"name": None, "clientId": None}
    call(organization, "GET", "pods/d", status=404)


def test_only_an_empty_pod_that_is_not_the_default_can_go(organization: Organization) -> None:
    default = call(organization, "GET", "pods")["data"][0]
    assert call(organization, "DELETE", f"pods/{default['id']}", status=409)["error"] == "default_pod"
    pod = call(organization, "POST", "pods", {"clientId": "p"})
    inbox = call(organization, "POST", "inboxes", {"podId": "p"})
    assert call(organization, "DELETE", "pods/p", status=409)["error"] == "pod_not_empty"
    assert call(organization, "GET", "pods/p") == pod
    call(organization, "DELETE", f"inboxes/{inbox['id']}", status=204)
    name = f"{uuid.uuid4().hex[:12]}.test"
    organization.call("POST", f"pods/{pod['id']}/domains", json={"domain": name})
    assert call(organization, "DELETE", "pods/p", status=409)["error"] == "pod_has_domains"
    organization.call("DELETE", f"domains/{name}")
    key = call(organization, "POST", "pods/p/api-keys", {})["token"]
    call(organization, "GET", "inboxes", key=key, status=200)
    assert call(organization, "DELETE", "pods/p", status=204) is None
    call(organization, "GET", "inboxes", key=key, status=401)
    assert call(organization, "DELETE", "pods/p", status=404)["error"] == "not_found"


def test_v0_keeps_its_own_codes(organization: Organization) -> None:
    call(organization, "POST", "pods", {"clientId": "p"})
    call(organization, "POST", "inboxes", {"podId": "p"})
    with organization.client() as http:
        used = http.delete("pods/p")
        assert (used.status_code, used.json()["code"]) == (409, "pod_in_use")
        assert http.get("pods/p").json()["name"].startswith("pod ")
        assert http.post("pods", json={"client_id": "p"}).status_code == 200
        assert (
            http.post("inboxes", json={"username": "x", "pod_id": "pod_nope"}).json()["code"] == "not_found"
        )


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "pods", {"clientId": "x" * 256}, "clientId"),
        ("POST", "pods", {"name": "x" * 256}, "name"),
        ("POST", "pods", {"clientId": 7}, "clientId"),
        ("POST", "pods", {"name": ["a"]}, "name"),
        ("POST", "pods", {"name": "a\r\nb"}, "name"),
        ("POST", "pods", {"clientId": "a\u0000b"}, "clientId"),
        ("POST", "pods", [], "body"),
        ("POST", "pods", "text", "body"),
        ("PATCH", "pods/p", {"clientId": "x" * 256}, "clientId"),
        ("PATCH", "pods/p", {"name": {}}, "name"),
    ],
)
def test_what_a_pod_does_not_take(
    organization: Organization, method: str, path: str, body: Any, field: str
) -> None:
    call(organization, "POST", "pods", {"clientId": "p"})
    refused = call(organization, method, path, body, status=400)
    assert (refused["error"], refused["field"]) == ("bad_request", field)
    assert call(organization, "GET", "pods")["total"] == 2


def test_a_full_width_client_id_fits(organization: Organization) -> None:
    long = "ü" * 255
    made = call(organization, "POST", "pods", {"clientId": long, "name": long}, status=201)
    assert call(organization, "GET", f"pods/{quote(long)}") == made
    call(organization, "GET", f"pods/{quote(long + 'x')}", status=404)
