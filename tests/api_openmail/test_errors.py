"""Bad input at /v1 is a 4xx that says what was wrong, on every route, and changes nothing (contract §1, §12)."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from gateway.api.openmail import openmail_dialect
from gateway.api.openmail.errors import render_error
from gateway.api.openmail.offset_paging import OffsetQuery
from gateway.api.routing import NoBody
from gateway.core.errors import CoreError
from tests.api_openmail.account_tree import AccountTree
from tests.api_openmail.calls import call, client

DEEP = b"[" * 100_000
BODIES: dict[str, bytes] = {
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "cut off": b'{"name": ',
    "deep": DEEP,
    "deep object": b'{"a":' * 50_000,
    "a huge list": b"[" + b",".join([b"{}"] * 10_000) + b"]",
    "a number": b"1e999999",
    "null": b"null",
    "a lone surrogate": b'{"name": "\\ud800", "to": "\\ud800"}',
    "trailing": b'{"name": "x"} {}',
    "nothing JSON": b"name=x&to=y",
    "NaN": b'{"limit": NaN}',
}
BAD_IDS = (
    "nope",
    "..%2f..%2fetc",
    "%00",
    "%ff%fe",
    "x" * 6000,
    "%0d%0a",
    "-1",
    "9" * 400,
    "%F0%9F%92%A9",
    "'%20OR%201=1--",
)
ROUTES = [one for one in openmail_dialect.table.endpoints if not one.access.open]


def fill(path: str, ids: dict[str, str], default: str = "x") -> str:
    for name in ("pod_id", "inbox_id", "thread_id", "message_id", "filename", "key_id", "domain", "rule_id",
                 "address", "code"):  # fmt: skip
        for form in (f"{{{name}}}", f"{{{name}:rest}}"):
            path = path.replace(form, ids.get(name, default))
    assert "{" not in path, f"what stands for the parameter in {path}?"
    return path.lstrip("/")


def refused(answer: httpx.Response, what: Any) -> dict[str, Any]:
    """The body of an error, which has the documented shape."""
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/json", what
    body: dict[str, Any] = answer.json()
    assert isinstance(body["error"], str), what
    assert isinstance(body["message"], str), what
    assert body["message"], what
    return body


@pytest.mark.parametrize("kind", BODIES)
def test_a_broken_body_is_refused_on_every_route(account_tree: AccountTree, kind: str) -> None:
    ids = account_tree.ids(account_tree.own)
    with client(account_tree.organization) as http:
        for one in ROUTES:
            if one.method == "GET" or (one.body is NoBody and not one.raw_body):
                continue
            headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
            path = fill(one.path, ids)
            answer = http.request(one.method, path, content=BODIES[kind], headers=headers)
            refused(answer, (one.method, path, kind))
    assert call(account_tree.organization, "GET", "inboxes")["total"] == 3
    assert (
        call(account_tree.organization, "GET", f"inboxes/{account_tree.own['id']}")["id"]
        == account_tree.own["id"]
    )


def test_a_body_over_the_limit_is_refused_unread(account_tree: AccountTree) -> None:
    url = httpx.URL(account_tree.organization.base_url)
    with closing(HTTPConnection(url.host, url.port or 80, timeout=30)) as connection:
        connection.putrequest("POST", "/v1/inboxes")
        connection.putheader("Authorization", f"Bearer {account_tree.organization.api_key}")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders(b"{")
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["error"] == "payload_too_large"


@pytest.mark.parametrize("ref", BAD_IDS)
def test_a_strange_id_is_refused_on_every_route(account_tree: AccountTree, ref: str) -> None:
    with client(account_tree.organization) as http:
        for one in ROUTES:
            if "{" not in one.path:
                continue
            path = fill(one.path, {}, ref)
            headers = {"Idempotency-Key": uuid.uuid4().hex}
            answer = http.request(one.method, path, json={} if one.method != "GET" else None, headers=headers)
            refused(answer, (one.method, path))
    assert call(account_tree.organization, "GET", "inboxes")["total"] == 3


@pytest.mark.parametrize(
    "query",
    ["limit=x&offset=y", "limit=-5&offset=-5", "limit=%00&offset=%ff", "limit[]=1&offset[]=2", "&&&==&=",
     "limit=1&limit=2", "=" * 3000, "a=" + "%ff" * 500],
)  # fmt: skip
def test_paging_is_never_an_error_on_any_list(account_tree: AccountTree, query: str) -> None:
    with client(account_tree.organization) as http:
        tried = 0
        for one in ROUTES:
            if one.method == "GET" and issubclass(one.query, OffsetQuery):
                path = fill(one.path, account_tree.ids(account_tree.own))
                usual = 404 if "{message_id" in one.path else 400 if "webhook" in path else 200
                assert http.get(f"{path}?{query}").status_code in (200, usual), path
                tried += 1
    assert tried >= 4


def test_no_key_and_a_wrong_key_are_the_same_401_everywhere(account_tree: AccountTree) -> None:
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer om_wrong"},
        {"Authorization": f"Basic {account_tree.organization.api_key}"},
        {"Authorization": f"Bearer {account_tree.organization.api_key}x"},
        {"Authorization": f"Bearer {account_tree.organization.api_key.swapcase()}"},
        {"Authorization": "Bearer " + "x" * 5000},
    ]
    with httpx.Client(
        base_url=f"{account_tree.organization.base_url}/v1/", trust_env=False, verify=False
    ) as http:
        for one in ROUTES:
            answer = http.request(one.method, fill(one.path, account_tree.ids(account_tree.own)))
            body = refused(answer, one.path)
            assert (answer.status_code, body["error"]) == (401, "unauthorized"), one.path
        for headers in wrong:
            answer = http.get("inboxes", headers=headers)
            body = refused(answer, headers)
            assert answer.status_code == 401, headers
            assert body["message"] == "Missing or invalid Authorization header"
        assert http.get("no/such/path").status_code == 401


def test_unknown_paths_and_methods(account_tree: AccountTree) -> None:
    with client(account_tree.organization) as http:
        for path in (
            "nope",
            "inboxes/a/b/c",
            "pods/%00",
            "",
            "inboxes/x/messages/y",
            "INBOXES",
            "v1/inboxes",
        ):
            body = refused(http.get(path), path)
            assert body["error"] == "not_found", path
        for method, path in (
            ("PUT", "pods"),
            ("DELETE", "inboxes"),
            ("PATCH", "pods/x/api-keys"),
            ("PROPFIND", "pods"),
        ):
            answer = http.request(method, path)
            assert (answer.status_code, refused(answer, path)["error"]) == (405, "method_not_allowed"), path
            assert answer.headers["allow"]
        assert http.get("inboxes/").status_code == 200  # one slash at the end is none


def test_empty_cookie_and_other_headers_of_the_sdk_do_no_harm(account_tree: AccountTree) -> None:
    with client(account_tree.organization) as http:
        headers = {"cookie": "", "accept": "application/json", "user-agent": "speakeasy-sdk/typescript"}
        answer = http.get("inboxes?limit=50&offset=0", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        answer = http.post("pods/shop/api-keys", content=b"[]", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 400


def test_every_documented_code_has_its_status() -> None:
    documented = {
        400: "bad_request invalid_mailbox_name missing_idempotency_key invalid_domain invalid_pod no_webhook_url",
        401: "unauthorized",
        402: "spend_cap_paused",
        403: "forbidden feature_requires_paid_plan account_banned reputation_suspended",
        404: "not_found",
        409: "address_taken pod_not_empty pod_has_domains default_pod inbox_has_no_pod",
        422: "recipient_suppressed api_key_limit_reached invalid_webhook_url unsafe_content phishing_detected "
        "no_mx_records storage_limit_exceeded",
        429: "rate_limit_exceeded cold_outreach_limit",
        502: "webhook_failed",
    }
    for status, codes in documented.items():
        for code in codes.split():
            found, body = render_error(CoreError("because", code=code, facts={"type": "bounce"}))
            assert (found, body["error"], body["type"]) == (status, code, "bounce")
