"""Too long lists, texts and numbers in every field of every request end in a refusal or are taken, never in a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gateway.api.openapi import describe
from gateway.app.routes import DIALECTS
from gateway.mcp.tools import all_tools
from tests.api_audit.matrix import Home, body_of, fill, settle
from tests.support.gateway_process import running_gateway
from tests.support.waiting import until

MANY = 10_000
TEXTS = {
    "200,000 letters": "x" * 200_000,
    "60,000 emoji": "\N{GRINNING FACE}" * 60_000,
    "an address of 100,000": "a" * 100_000 + "@example.org",
    "a URL of 100,000": "https://example.org/" + "a" * 100_000,
    "NUL": "a\x00b",
    "half a character": "a\ud800b",
    "lines": "a\r\nBcc: x@example.org\r\n\r\nb",
}
NUMBERS = (2**31, 2**63, -(2**63) - 1, 10**40)
WHOLE = {"type": "object", "properties": {}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    free: dict[str, Any] = {"register__enabled": True, "register__per_address": 0, "register__per_owner": 0}
    free |= {"mailboxkit__requests_per_minute": 0, "mailboxkit__requests_per_day": 0}
    with running_gateway(tmp_path_factory.mktemp("long"), **free) as gateway:
        yield settle(gateway)


def operations() -> Iterator[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
    """(method, path below the prefix, body's schema, query parameters) of every operation that takes any."""
    document = describe(DIALECTS, "")
    schemas = document["components"]["schemas"]

    def whole(schema: Any) -> Any:
        if isinstance(schema, list):
            return [whole(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return whole(schemas[schema["$ref"].rpartition("/")[2]])
        return {name: whole(one) for name, one in schema.items()}

    seen = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            same = (*operation["tags"], method, operation["summary"])
            if same in seen:  # the same under another path
                continue
            seen.add(same)
            content = operation.get("requestBody", {}).get("content", {})
            body = whole(content["application/json"]["schema"]) if content else WHOLE
            query = [one for one in operation["parameters"] if one["in"] == "query"]
            if body["properties"] or query:
                yield method.upper(), path, body, query


def kinds_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [inner for one in schema.get("anyOf", [schema]) for inner in [one]]


def item(name: str, schema: dict[str, Any], at: int, place: dict[str, str]) -> Any:
    """The ``at``-th item of a list, as good as it can be made."""
    for kind in kinds_of(schema):
        if kind.get("type") == "object":
            return {"filename": f"a{at}.txt", "content": "YQ==", "name": f"X-{at}", "value": "v"}
        if "enum" in kind:
            return kind["enum"][0]
    if name in ("to", "cc", "bcc", "reply_to", "replyTo"):
        return f"a{at}@example.org"
    named = {"inbox_ids": "inbox_id", "message_ids": "message_id", "pod_ids": "pod_id"}
    for word, parameter in named.items():
        if name.endswith(word):
            return place[parameter]
    if name.endswith(("event_types", "events")):
        return "message.received"
    return f"l{at}"


def values(name: str, schema: dict[str, Any], place: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Values of a field that are too long, each with what it is."""
    for kind in kinds_of(schema):
        of = kind.get("type")
        if of == "string" or not of:
            yield from TEXTS.items()
        elif of in ("integer", "number"):
            yield from ((str(one)[:12], one) for one in NUMBERS)
        elif of == "array":
            yield f"{MANY} items", [item(name, kind.get("items", {}), at, place) for at in range(MANY)]
            yield "one long item", ["x" * 200_000]
            yield "99 long items", ["\N{GRINNING FACE}" * 60 + str(at) for at in range(99)]
        elif of == "object":
            yield f"{MANY} members", {f"x-{at}": "v" for at in range(MANY)}
            yield "a long name", {"x" * 200_000: "v"}
            yield "a long value", {"x": "v" * 200_000}


def put(body: Any, name: str, value: Any) -> dict[str, Any]:
    return {**(body or {}), name: value}


@pytest.mark.timeout(900)
def test_no_field_of_a_body_ends_in_a_5xx(home: Home) -> None:
    key, wrong, tried = home.keys["organization"], list[str](), 0
    with httpx.Client(base_url=home.organization.base_url, timeout=120, trust_env=False) as http:
        for method, path, schema, _ in operations():
            below = (
                "/" + path.strip("/").partition("/")[2].partition("/")[2]
                if path.startswith("/api/")
                else path[3:]
            )
            dialect = "agentmail" if path.startswith("/api/v0/") else ""
            if path.endswith(("/operator", "/wait")) or "/relay-queue" in path:
                continue
            for name, field in schema["properties"].items():
                for what, value in values(name, field, key.place):
                    place = key.place
                    if path.startswith("/api/v1"):
                        place = place | {"webhook_id": place["mailboxkit_webhook_id"]}
                    body = put(body_of(f"{method} {below}", place, dialect), name, value)
                    headers = {"Authorization": f"Bearer {key.secret}", "Content-Type": "application/json"}
                    if method == "POST":
                        headers["Idempotency-Key"] = f"k{tried}"
                    got = http.request(method, fill(path, place), content=escaped(body), headers=headers)
                    tried += 1
                    if got.status_code >= 500 and got.status_code != 502:
                        wrong.append(f"{method} {path} {name} = {what}: {got.status_code} {got.text[:200]}")
    print(f"{tried} bodies")
    assert not wrong, "\n".join(wrong)
    assert tried > 1000


def escaped(body: Any) -> bytes:
    """JSON in ASCII: a lone surrogate cannot be written otherwise."""
    return json.dumps(body).encode()


def test_no_query_parameter_ends_in_a_5xx(home: Home) -> None:
    key, wrong, tried = home.keys["organization"], list[str](), 0
    texts = (
        "x" * 6000,
        "%00",
        "%ff",
        quote("\N{GRINNING FACE}" * 500),
        "%5B" * 2000,
        "9" * 400,
        "-1",
        "1e400",
    )
    with httpx.Client(base_url=home.organization.base_url, timeout=120, trust_env=False) as http:
        for method, path, _, query in operations():
            if path.endswith("/wait") or "/relay-queue" in path:
                continue
            for parameter in query:
                for text in texts:
                    place = key.place
                    if path.startswith("/api/v1"):
                        place = place | {"webhook_id": place["mailboxkit_webhook_id"]}
                    got = http.request(
                        method,
                        f"{fill(path, place)}?{parameter['name']}={text}",
                        headers={"Authorization": f"Bearer {key.secret}"},
                    )
                    tried += 1
                    if got.status_code >= 500:
                        wrong.append(
                            f"{method} {path}?{parameter['name']}={text[:12]}: {got.status_code} {got.text[:200]}"
                        )
    print(f"{tried} queries")
    assert not wrong, "\n".join(wrong)


def test_no_argument_of_a_tool_ends_in_a_defect(home: Home) -> None:
    key, wrong, tried = home.keys["organization"], list[str](), 0
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {key.secret}"
    with httpx.Client(base_url=home.organization.base_url, timeout=120, trust_env=False) as http:
        for tool in all_tools().values():
            for name, field in tool.schema["properties"].items():
                if name == "timeout":  # a longer wait than there is becomes the longest
                    continue
                for what, value in values(name, field, key.place):
                    usual = {"inbox_id": key.place["inbox_id"], "timeout": 1}
                    arguments = {one: usual[one] for one in usual if one in tool.schema["properties"]}
                    params = {"name": tool.name, "arguments": {**arguments, name: value}}
                    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                    got = http.post("/mcp", content=escaped(body), headers=headers)
                    tried += 1
                    if got.status_code >= 500 or "unexpected error" in got.text or "unavailable" in got.text:
                        wrong.append(f"{tool.name} {name} = {what}: {got.status_code} {got.text[:200]}")
    print(f"{tried} calls of tools")
    assert not wrong, "\n".join(wrong)


def test_labels_have_limits_that_are_named(home: Home) -> None:
    organization = home.organization
    box = organization.new_inbox()["email"]
    organization.call("POST", f"inboxes/{box}/messages/send", json={"to": [box], "subject": "l", "text": "t"})
    got = until(
        lambda: organization.call("GET", f"inboxes/{box}/messages", params={"labels": "received"})["messages"]
    )[0]
    path, thread = f"inboxes/{box}/messages/{got['message_id']}", f"threads/{got['thread_id']}"
    batch = f"inboxes/{box}/messages/batch-update"

    def refused(where: str, **body: Any) -> str:
        with organization.client() as http:
            method = "POST" if where == batch else "PATCH"
            answer = http.request(method, where, json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"][0]["field"].startswith("add_labels")
        assert answer.json()["fix"]
        return str(answer.json()["message"])

    assert "at most 100" in refused(path, add_labels=[f"l{at}" for at in range(101)])
    organization.call("PATCH", path, json={"add_labels": [f"a{at}" for at in range(100)]})
    organization.call("PATCH", path, json={"add_labels": [f"b{at}" for at in range(90)]})
    more = [f"c{at}" for at in range(20)]
    held = organization.call("GET", path)["labels"]
    for where, body in ((path, {}), (thread, {}), (batch, {"message_ids": [got["message_id"]]})):
        assert "at most 200 labels" in refused(where, add_labels=more, **body)
    assert organization.call("GET", path)["labels"] == held
    organization.call("PATCH", path, json={"remove_labels": [f"a{at}" for at in range(100)]})
    organization.call("PATCH", path, json={"add_labels": more})
    wide = ["\N{GRINNING FACE}" * 60 + str(at) for at in range(99)]
    assert "16000 octets" in refused(path, add_labels=wide)
