"""All 25 operations of OpenMail's OpenAPI file against a running gateway: each success and each error it declares.

One visit drives them all and keeps every answer; then each operation's answers are held against the file.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from openapi_spec_validator import validate

from gateway.records.ids import new_ulid
from tests.api_openmail import openapi_file
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

pytestmark = pytest.mark.skipif(
    not openapi_file.FILE.exists(), reason="OpenMail's OpenAPI file is not beside the repository"
)

POD, INBOX, THREAD, FILE = "pods/{id}", "inboxes/{id}", "threads/{id}", "attachments/{messageId}/{filename}"

# what each operation must have answered during the visit
EXPECTED: dict[str, set[int]] = {
    "POST pods": {201, 401, 403, 409},
    "GET pods": {200, 401},
    f"GET {POD}": {200, 401, 404},
    f"PATCH {POD}": {200, 401, 403, 404, 409},
    f"DELETE {POD}": {204, 401, 403, 404, 409},
    f"POST {POD}/api-keys": {201, 401, 403, 404, 422},
    f"GET {POD}/api-keys": {200, 401, 403, 404},
    f"DELETE {POD}/api-keys/{{keyId}}": {204, 401, 403, 404},
    "POST inboxes": {201, 400, 401, 403, 409, 422},
    "GET inboxes": {200, 401},
    f"GET {INBOX}": {200, 401, 403, 404},
    f"PATCH {INBOX}": {200, 401, 403, 404, 422},
    f"DELETE {INBOX}": {204, 401, 403, 404},
    f"POST {INBOX}/webhook/rotate-secret": {200, 400, 401, 403, 404},
    f"POST {INBOX}/webhook/test": {200, 400, 401, 403, 404, 502},
    f"POST {INBOX}/api-keys": {201, 401, 403, 404, 422},
    f"GET {INBOX}/api-keys": {200, 401, 403, 404},
    f"DELETE {INBOX}/api-keys/{{keyId}}": {204, 401, 403, 404},
    f"POST {INBOX}/send": {200, 400, 401, 403, 404, 422},
    f"GET {INBOX}/messages": {200, 401, 403, 404},
    f"GET {INBOX}/threads": {200, 401, 403, 404},
    f"GET {THREAD}/messages": {200, 401, 403, 404},
    f"PATCH {THREAD}": {200, 400, 401, 403, 404},
    f"GET {FILE}": {302, 401, 403, 404},
    f"GET {FILE}/text": {200, 401, 403, 404, 422},
}
# 402 and some 403 and 422 need an account that the operator has stopped, 429 narrower limits: see test_limits and
# test_reputation; 409 inbox_has_no_pod cannot happen, since every inbox here has a pod

Answers = dict[str, list[httpx.Response]]


class Visit:
    """A client that keeps every answer by operation."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.answers: Answers = defaultdict(list)
        self.http = httpx.Client(base_url=f"{organization.base_url}/v1/", timeout=30, trust_env=False)

    def ask(
        self, operation: str, *ids: str, key: str | None = None, status: int | None = None, **options: Any
    ) -> Any:
        """One call; ``ids`` fill the path. ``key``: instead of the account's ("" sends none)."""
        method, template = operation.split(" ")
        values = iter(ids)
        path = re.sub(r"\{\w+\}", lambda _: quote(next(values), safe=""), template)
        key = self.organization.api_key if key is None else key
        headers = {**options.pop("headers", {})} | ({"Authorization": f"Bearer {key}"} if key else {})
        answer = self.http.request(method, path, headers=headers, **options)
        self.answers[operation].append(answer)
        assert status is None or answer.status_code == status, (
            f"{operation}: {answer.status_code} {answer.text}"
        )
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json and answer.content else None  # a 302 has the file

    def send(self, inbox: str, body: Any = None, key: str | None = None, **options: Any) -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return self.ask(f"POST {INBOX}/send", inbox, key=key, json=body, headers=headers, **options)


@pytest.fixture(scope="module")
def answers(gateway: GatewayProcess) -> Iterator[Answers]:
    """Every answer of one visit to all the operations."""
    visit = Visit(gateway.new_organization())
    with visit.http:
        everybody_else(visit)
        pods_and_keys(visit)
        inboxes(visit)
        mail(visit, gateway)
        yield visit.answers


def everybody_else(visit: Visit) -> None:
    """No key, and ids that nothing has."""
    for operation in EXPECTED:
        ids = [f"x_{new_ulid()}" for _ in re.findall(r"\{", operation)]
        visit.ask(operation, *ids, key="", status=401)
        visit.ask(operation, *ids, key="om_" + "x" * 43, status=401)
        if not ids:
            continue
        body = {"is_read": True} if THREAD in operation else {"to": "a@x.test", "subject": "s", "body": "b"}
        if operation.startswith("GET"):
            visit.ask(operation, *ids, status=404)
        else:
            headers = {"Idempotency-Key": "k"}
            body = body if "send" in operation or THREAD in operation else {}
            visit.ask(operation, *ids, json=body, headers=headers, status=404)


def pods_and_keys(visit: Visit) -> None:
    made = visit.ask("POST pods", json={"clientId": "tenant-1", "name": "Tenant 1"}, status=201)
    visit.ask("POST pods", json={"clientId": "tenant-1"}, status=409)
    other = visit.ask("POST pods", json={}, status=201)
    listed = visit.ask("GET pods", status=200)
    assert listed["data"][0]["isDefault"]
    default = listed["data"][0]["id"]
    for name in (made["id"], "tenant-1"):
        assert visit.ask(f"GET {POD}", name, status=200)["id"] == made["id"]
    visit.ask(f"PATCH {POD}", other["id"], json={"clientId": "tenant-1"}, status=409)
    visit.ask(f"PATCH {POD}", other["id"], json={"clientId": "tenant-2", "name": None}, status=200)
    key = visit.ask(f"POST {POD}/api-keys", made["id"], json={"name": "worker"}, status=201)
    for _ in range(19):
        visit.ask(f"POST {POD}/api-keys", made["id"], json={}, status=201)
    visit.ask(f"POST {POD}/api-keys", made["id"], json={}, status=422)
    visit.ask(f"GET {POD}/api-keys", made["id"], status=200)
    pod_key = key["token"]
    visit.ask("POST pods", key=pod_key, json={}, status=403)
    for operation in (f"PATCH {POD}", f"DELETE {POD}", f"POST {POD}/api-keys", f"GET {POD}/api-keys"):
        visit.ask(operation, made["id"], key=pod_key, json={} if "GET" not in operation else None, status=403)
    visit.ask(f"DELETE {POD}/api-keys/{{keyId}}", made["id"], key["id"], key=pod_key, status=403)
    visit.ask(f"DELETE {POD}/api-keys/{{keyId}}", made["id"], f"key_{new_ulid()}", status=404)
    visit.ask(f"DELETE {POD}/api-keys/{{keyId}}", made["id"], key["id"], status=204)
    visit.ask("GET pods", key=pod_key, status=401)
    visit.ask(f"DELETE {POD}", default, status=409)
    visit.ask(f"DELETE {POD}", other["id"], status=204)


def inboxes(visit: Visit) -> None:
    name = f"sweep-{uuid.uuid4().hex[:10]}"
    made = visit.ask("POST inboxes", json={"mailboxName": name, "displayName": "Sweep"}, status=201)
    inbox = made["id"]
    visit.ask("POST inboxes", json={"mailboxName": name}, status=409)
    visit.ask("POST inboxes", json={"mailboxName": "no"}, status=400)
    visit.ask("POST inboxes", json={"podId": "pod_none"}, status=400)
    visit.ask("POST inboxes", json={"domain": "not-ours.test"}, status=400)
    visit.ask("POST inboxes", json={"webhookUrl": "nonsense"}, status=422)
    listed = visit.ask("GET inboxes", params={"limit": 50, "offset": 0}, status=200)
    assert listed["data"][0]["id"] == inbox
    visit.ask(f"GET {INBOX}", inbox, status=200)
    visit.ask(f"PATCH {INBOX}", inbox, json={"displayName": None}, status=200)
    visit.ask(f"PATCH {INBOX}", inbox, json={"webhookUrl": "ftp://x.test/"}, status=422)
    visit.ask(f"POST {INBOX}/webhook/rotate-secret", inbox, status=400)
    visit.ask(f"POST {INBOX}/webhook/test", inbox, status=400)
    with webhook_endpoint() as endpoint:
        url = endpoint.url
        hooked = visit.ask("POST inboxes", json={"webhookUrl": url}, status=201)
        assert hooked["webhookSecret"]
        first = visit.ask(f"PATCH {INBOX}", inbox, json={"webhookUrl": url}, status=200)
        assert first["webhookSecret"]
        rotated = visit.ask(f"POST {INBOX}/webhook/rotate-secret", inbox, status=200)
        assert rotated["webhookSecret"] != first["webhookSecret"]
        visit.ask(f"POST {INBOX}/webhook/test", inbox, status=200)
        endpoint.answer = lambda post: 500
        visit.ask(f"POST {INBOX}/webhook/test", inbox, status=502)
    key = visit.ask(f"POST {INBOX}/api-keys", inbox, json={"name": None}, status=201)
    for _ in range(19):
        visit.ask(f"POST {INBOX}/api-keys", inbox, json={}, status=201)
    visit.ask(f"POST {INBOX}/api-keys", inbox, json={}, status=422)
    visit.ask(f"GET {INBOX}/api-keys", inbox, status=200)
    narrow = key["token"]
    visit.ask("POST inboxes", key=narrow, json={}, status=403)
    visit.ask("GET inboxes", key=narrow, status=200)
    visit.ask(f"GET {INBOX}", hooked["id"], key=narrow, status=403)
    for operation in (
        f"PATCH {INBOX}",
        f"DELETE {INBOX}",
        f"POST {INBOX}/webhook/rotate-secret",
        f"POST {INBOX}/webhook/test",
        f"POST {INBOX}/api-keys",
        f"GET {INBOX}/api-keys",
    ):
        body = {"displayName": "x"} if operation.startswith("PATCH") else {}
        visit.ask(operation, inbox, key=narrow, json=None if "GET" in operation else body, status=403)
    visit.ask(f"DELETE {INBOX}/api-keys/{{keyId}}", inbox, key["id"], key=narrow, status=403)
    visit.ask(f"DELETE {INBOX}/api-keys/{{keyId}}", inbox, f"key_{new_ulid()}", status=404)
    visit.ask(f"DELETE {INBOX}/api-keys/{{keyId}}", inbox, key["id"], status=204)
    visit.ask(f"DELETE {INBOX}", hooked["id"], status=204)


def mail(visit: Visit, gateway: GatewayProcess) -> None:
    inbox = visit.ask("POST inboxes", json={}, status=201)
    other = visit.ask("POST inboxes", json={}, status=201)
    narrow = visit.ask(f"POST {INBOX}/api-keys", other["id"], json={}, status=201)["token"]
    visit.send(inbox["id"], {"to": "nobody", "subject": "s", "body": "b"}, status=400)
    visit.send(inbox["id"], {"to": other["address"], "subject": "s", "body": "b"}, key=narrow, status=403)
    suppressed = "gone@abroad.test"
    visit.http.post(
        "suppressions",
        json={"address": suppressed, "type": "bounce"},
        headers={"Authorization": f"Bearer {visit.organization.api_key}"},
    )
    visit.send(inbox["id"], {"to": suppressed, "subject": "s", "body": "b"}, status=422)
    sent = visit.send(
        inbox["id"], {"to": other["address"], "subject": "Hello", "body": "<b>Hi</b>"}, status=200
    )

    post = new_mail(inbox["address"], "With files", cc=other["address"])
    post.add_attachment("a,b\n1,2\n", subtype="csv", filename="t\u00e4ble 1.csv")
    post.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="raw.bin")
    deliver(gateway.port("smtp"), post, inbox["address"], other["address"])

    def both() -> Any:
        found = visit.ask(f"GET {INBOX}/messages", inbox["id"], status=200)
        copied = visit.ask(f"GET {INBOX}/messages", other["id"], params={"direction": "inbound"}, status=200)
        return found["data"] if (found["total"], copied["total"]) == (2, 2) else None

    rows = until(both, why="both mails")
    received = next(row for row in rows if row["direction"] == "inbound")
    thread = received["threadId"]
    for query in ({}, {"is_read": "false"}, {"is_read": "true"}, {"limit": "500"}):
        visit.ask(f"GET {INBOX}/threads", inbox["id"], params=query, status=200)
    visit.ask(f"GET {THREAD}/messages", thread, status=200)
    visit.ask(f"GET {THREAD}/messages", sent["threadId"], status=200)
    visit.send(
        inbox["id"], {"to": "ann@abroad.test", "threadId": f"thr_{new_ulid()}", "body": "b"}, status=404
    )
    visit.ask(f"PATCH {THREAD}", thread, json={"is_read": True}, status=200)
    visit.ask(f"PATCH {THREAD}", thread, json={"is_read": "yes"}, status=400)
    for operation, body in (
        (f"GET {THREAD}/messages", None),
        (f"PATCH {THREAD}", {"is_read": True}),
    ):
        visit.ask(operation, thread, key=narrow, json=body, status=403)
    for operation in (f"GET {INBOX}/messages", f"GET {INBOX}/threads"):
        visit.ask(operation, inbox["id"], key=narrow, status=403)
    table, raw = (one["filename"] for one in received["attachments"])
    visit.ask(f"GET {FILE}", received["id"], table, status=302)
    visit.ask(f"GET {FILE}", received["id"], "none.txt", status=404)
    visit.ask(f"GET {FILE}", received["id"], table, key=narrow, status=403)
    visit.ask(f"GET {FILE}/text", received["id"], table, status=200)
    visit.ask(f"GET {FILE}/text", received["id"], raw, status=422)
    visit.ask(f"GET {FILE}/text", received["id"], table, key=narrow, status=403)
    pod = visit.ask("POST pods", json={}, status=201)["id"]
    visit.ask("POST inboxes", json={"podId": pod}, status=201)
    visit.ask(f"DELETE {POD}", pod, status=409)


def test_every_operation_of_the_file_is_visited() -> None:
    assert {operation.replace(" ", " /v1/") for operation in EXPECTED} == set(openapi_file.operations())
    assert len(EXPECTED) == 25


@pytest.mark.parametrize("operation", EXPECTED)
def test_the_answers_are_as_the_file_describes(answers: Answers, operation: str) -> None:
    found = answers[operation]
    assert EXPECTED[operation] - {one.status_code for one in found} == set()
    for one in found:
        openapi_file.check(
            operation.replace(" ", " /v1/"), one.status_code, one.headers.get("content-type", ""), one.content
        )
        if one.status_code >= 400:
            assert set(one.json()) >= {"error", "message"}
        assert one.status_code < 500 or one.status_code == 502


def test_our_own_description_lists_every_operation(gateway: GatewayProcess) -> None:
    document = httpx.get(f"{gateway.base_url}/openapi.json", trust_env=False).json()
    validate(document)
    ours = {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{}', path)}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    wanted = {re.sub(r"{[^}]+}", "{}", operation) for operation in openapi_file.operations()}
    assert wanted - ours == set()
