"""Every released version of the protocol, over HTTP without a client package's help; and the size of the listing."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.mcp.clients import Era, over_http
from tests.support.gateway_process import Organization

pytestmark = pytest.mark.anyio

HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = "2026-07-28"
META = "io.modelcontextprotocol"
CLIENT = {"name": "bare", "version": "1"}
LISTING_TOKENS = 3500


def post(organization: Organization, body: dict[str, Any], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    accepts = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    return httpx.post(
        f"{organization.base_url}/mcp",
        json={"jsonrpc": "2.0", "id": 1, **body},
        headers=accepts | organization.headers | named,
        trust_env=False,
        timeout=30,
    )


def result_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
    found: dict[str, Any] = json.loads(text)["result"]
    return found


def modern(method: str, version: str = MODERN, **params: Any) -> dict[str, Any]:
    """A request of 2026: it carries its version and its client itself."""
    meta = {
        f"{META}/protocolVersion": version,
        f"{META}/clientInfo": CLIENT,
        f"{META}/clientCapabilities": {},
    }
    return {"method": method, "params": {**params, "_meta": meta}}


@pytest.mark.parametrize("version", HANDSHAKES)
def test_a_client_of_each_older_version_is_served(organization: Organization, version: str) -> None:
    organization.new_inbox()
    begin = {
        "method": "initialize",
        "params": {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT},
    }
    answer = post(organization, begin)
    assert result_of(answer)["protocolVersion"] == version
    session = {"Mcp_Session_Id": answer.headers["mcp-session-id"], "MCP_Protocol_Version": version}
    tools = result_of(post(organization, {"method": "tools/list"}, **session))["tools"]
    assert "send_email" in [one["name"] for one in tools]
    call = {"method": "tools/call", "params": {"name": "list_inboxes", "arguments": {}}}
    called = result_of(post(organization, call, **session))
    assert len(called["structuredContent"]["inboxes"]) == 1


def test_a_client_of_2026_is_served_without_a_handshake(organization: Organization) -> None:
    organization.new_inbox()
    headers = {"MCP_Protocol_Version": MODERN}
    found = result_of(post(organization, modern("server/discover"), Mcp_Method="server/discover", **headers))
    assert MODERN in found["supportedVersions"]
    assert "inbox_id" in found["instructions"]
    answer = post(organization, modern("tools/list"), Mcp_Method="tools/list", **headers)
    assert "mcp-session-id" not in answer.headers
    assert "send_email" in [one["name"] for one in result_of(answer)["tools"]]
    call = modern("tools/call", name="list_inboxes", arguments={})
    called = result_of(post(organization, call, Mcp_Method="tools/call", Mcp_Name="list_inboxes", **headers))
    assert called["resultType"] == "complete"
    assert len(called["structuredContent"]["inboxes"]) == 1


def test_a_version_that_is_not_known_is_refused_with_those_that_are(organization: Organization) -> None:
    answer = post(
        organization,
        modern("tools/list", "2099-01-01"),
        MCP_Protocol_Version="2099-01-01",
        Mcp_Method="tools/list",
    )
    assert answer.status_code == 400
    assert MODERN in answer.text


@pytest.mark.parametrize(("mode", "version"), [("auto", MODERN), ("legacy", HANDSHAKES[-1])])
async def test_the_official_client_agrees_on_its_newest_version(
    organization: Organization, mode: Era, version: str
) -> None:
    async with over_http(organization.base_url, organization.api_key, mode=mode) as client:
        assert client.protocol_version == version


def test_the_listing_is_short_and_plain(organization: Organization) -> None:
    """A model reads it with every request: four characters of compact JSON are about a token."""
    answer = post(organization, modern("tools/list"), MCP_Protocol_Version=MODERN, Mcp_Method="tools/list")
    result = result_of(answer)
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    assert len(text) / 4 <= LISTING_TOKENS
    assert "additionalProperties" not in text, "an adapter for Gemini fails on it"
    hints = {one["name"]: one["annotations"] for one in result["tools"]}
    assert all(one.get("destructiveHint") for name, one in hints.items() if name.startswith("delete_"))
    assert all(one.get("readOnlyHint") or "destructiveHint" in one for one in hints.values())
    sentences = [
        field["description"]
        for one in result["tools"]
        for name, field in one["inputSchema"]["properties"].items()
        if name == "inbox_id"
    ]
    assert max(map(len, sentences)) < 20, "when to leave it out is said once, in the instructions"
