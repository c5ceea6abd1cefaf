"""Who may use ``/mcp``: keys and their reach, revoked keys, pages of other sites; and which inbox is meant."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from tests.api_mailboxkit.calls import made as mailboxkit
from tests.mcp.clients import (
    TRANSPORTS,
    Transport,
    arrived,
    done,
    inbox_key,
    over_http,
    over_stdio,
    refused,
)
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail

pytestmark = pytest.mark.anyio

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


def post(
    organization: Organization, body: Any = LIST, *, key: str | None = None, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    bearer = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(
        f"{organization.base_url}/mcp",
        json=body,
        headers=HEADERS | bearer | named,
        trust_env=False,
        timeout=30,
    )


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_key_of_one_inbox_sees_that_inbox_alone(
    gateway: GatewayProcess, organization: Organization, transport: Transport
) -> None:
    mine, other = organization.new_inbox(), organization.new_inbox()
    for inbox in (mine, other):
        deliver(gateway.port("smtp"), new_mail(inbox["email"], f"For {inbox['email']}"), inbox["email"])
    async with over_http(organization.base_url, organization.api_key) as client:
        theirs = await arrived(client, other["email"], f"For {other['email']}")
        draft = await done(client, "create_draft", inbox_id=other["email"], to="a@b.test", text="x")
    key = inbox_key(organization, mine)["api_key"]
    async with TRANSPORTS[transport](organization.base_url, key) as client:
        assert [one["address"] for one in (await done(client, "list_inboxes"))["inboxes"]] == [mine["email"]]
        message = await arrived(client, "", f"For {mine['email']}")
        await done(client, "read_message", message_id=message["message_id"])
        await done(client, "search_messages", query="outside")
        await done(client, "send_email", to="a@abroad.test", subject="x", text="y")
        outside: list[tuple[str, dict[str, Any]]] = [
            ("check_inbox", {"inbox_id": other["email"]}),
            ("list_threads", {"inbox_id": other["inbox_id"]}),
            ("list_drafts", {"inbox_id": other["email"]}),
            ("wait_for_email", {"inbox_id": other["email"], "timeout": 1}),
            ("search_messages", {"query": "x", "inbox_id": other["email"]}),
            ("send_email", {"inbox_id": other["email"], "to": "a@b.test", "subject": "x", "text": "y"}),
            ("create_draft", {"inbox_id": other["email"], "to": "a@b.test", "text": "y"}),
            ("read_message", {"message_id": theirs["message_id"]}),
            ("read_attachment", {"message_id": theirs["message_id"], "filename": "a"}),
            ("reply_to_email", {"message_id": theirs["message_id"], "text": "y"}),
            ("forward_email", {"message_id": theirs["message_id"], "to": "a@b.test"}),
            ("read_thread", {"thread_id": theirs["thread_id"]}),
            ("set_labels", {"message_id": theirs["message_id"], "add": ["x"]}),
            ("set_labels", {"thread_id": theirs["thread_id"], "add": ["x"]}),
            ("send_draft", {"draft_id": draft["draft"]["draft_id"]}),
            ("delete_draft", {"draft_id": draft["draft"]["draft_id"]}),
            ("update_draft", {"draft_id": draft["draft"]["draft_id"], "subject": "y"}),
            ("delete_thread", {"thread_id": theirs["thread_id"]}),
            ("update_inbox", {"inbox_id": other["email"], "name": "Mine"}),
            ("delete_inbox", {"inbox_id": other["email"]}),
            ("create_inbox", {"name": "More"}),
        ]
        for tool, arguments in outside:
            text, error = await refused(client, tool, **arguments)
            assert "out of reach of this API key" in text, (tool, text)
            assert error["code"] == "missing_permission"
            assert "What to do now: ask your user for a key" in text


async def test_things_of_another_organization_do_not_exist(
    gateway: GatewayProcess, organization: Organization
) -> None:
    stranger = gateway.new_organization()
    inbox = stranger.new_inbox()["email"]
    deliver(gateway.port("smtp"), new_mail(inbox, "Secret"), inbox)
    async with over_http(stranger.base_url, stranger.api_key) as client:
        secret = await arrived(client, inbox, "Secret")
    organization.new_inbox()
    async with over_http(organization.base_url, organization.api_key) as client:
        for tool, arguments in (
            ("read_message", {"message_id": secret["message_id"]}),
            ("read_thread", {"thread_id": secret["thread_id"]}),
            ("check_inbox", {"inbox_id": inbox}),
            ("delete_thread", {"thread_id": secret["thread_id"]}),
            ("update_inbox", {"inbox_id": inbox, "name": "Mine"}),
            ("delete_inbox", {"inbox_id": inbox}),
        ):
            text, error = await refused(client, tool, **arguments)
            assert error["code"] == "not_found"
            assert "What to do now: " in text
            assert "GET" not in text


async def test_a_key_without_a_permission_is_told_so(organization: Organization) -> None:
    inbox = organization.new_inbox()
    made = inbox_key(organization, inbox, permissions={"message_read": True, "inbox_read": True})
    async with over_http(organization.base_url, made["api_key"]) as client:
        await done(client, "check_inbox")
        text, _ = await refused(client, "send_email", to="a@b.test", subject="x", text="y")
        assert "message_send" in text
        for tool, arguments, permission in (
            ("update_inbox", {"name": "x"}, "inbox_update"),
            ("delete_inbox", {"inbox_id": inbox["email"]}, "inbox_delete"),
            ("delete_thread", {"thread_id": "thr_1"}, "message_delete"),
            ("update_draft", {"draft_id": "drf_1", "text": "x"}, "draft_update"),
        ):
            text, _ = await refused(client, tool, **arguments)
            assert permission in text, tool


async def test_the_key_may_come_in_its_own_header(organization: Organization) -> None:
    inbox = organization.new_inbox()
    key = organization.api_key
    async with over_http(organization.base_url, key, key_header="X-API-Key") as client:
        listed = await done(client, "list_inboxes")
    assert [one["address"] for one in listed["inboxes"]] == [inbox["email"]]
    assert post(organization, X_API_Key="inai_wrong").status_code == 401
    both = post(organization, key="inai_wrong", X_API_Key=key)
    assert both.status_code == 401, "Authorization goes first"
    async with httpx.AsyncClient(base_url=organization.base_url, trust_env=False) as http:
        elsewhere = await http.get("/api/v0/inboxes", headers={"X-API-Key": key})
    assert elsewhere.status_code == 401, "at /mcp alone"


async def test_a_sandbox_key_sends_nothing(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = organization.new_inbox()["email"]
    made = mailboxkit(organization, "api_keys", {"name": "sandbox", "test": True})
    async with over_http(organization.base_url, made["key"]) as client:
        sent = await done(client, "send_email", inbox_id=inbox, to=inbox, subject="Trial", text="x")
        assert sent["test"] is True
        deliver(gateway.port("smtp"), new_mail(inbox, "Real"), inbox)
        await arrived(client, inbox, "Real")
        listed = await done(client, "check_inbox", inbox_id=inbox, include_sent=True)
        kinds = {one["untrusted"]["subject"]: (one["direction"], one["test"]) for one in listed["messages"]}
    assert kinds == {"Real": ("received", False), "Trial": ("sent", True)}


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_revoked_key_ends_with_the_next_call(
    organization: Organization, transport: Transport
) -> None:
    inbox = organization.new_inbox()
    made = inbox_key(organization, inbox)
    async with TRANSPORTS[transport](organization.base_url, made["api_key"]) as client:
        await done(client, "check_inbox")
        organization.call("DELETE", f"api-keys/{made['api_key_id']}")
        with pytest.raises(MCPError, match="wrong, expired or revoked"):
            await client.call_tool("check_inbox", {})


def test_without_a_key_nothing_is_told(organization: Organization) -> None:
    for key in (None, "inai_wrong"):
        answer = post(organization, key=key)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["message"]
        assert "tools" not in answer.text


def test_pages_of_other_sites_are_refused(organization: Organization) -> None:
    def status(origin: str) -> int:
        return post(organization, key=organization.api_key, Origin=origin).status_code

    assert status("https://evil.test") == 403
    assert status("http://127.0.0.1.evil.test:8025") == 403
    assert status("null") == 403
    assert status("http://localhost:6274") == 200
    assert status(organization.base_url) == 200
    preflight = httpx.request(
        "OPTIONS",
        f"{organization.base_url}/mcp",
        headers={"Origin": "http://localhost:6274"},
        trust_env=False,
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:6274"
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "x-api-key" in allowed


def test_there_are_no_sessions(organization: Organization) -> None:
    key = {"Authorization": f"Bearer {organization.api_key}"}
    for method in ("GET", "DELETE"):
        answer = httpx.request(method, f"{organization.base_url}/mcp", headers=key, trust_env=False)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_client_that_reads_no_streams_gets_json(organization: Organization) -> None:
    plain = post(organization, key=organization.api_key, Accept="application/json")
    assert plain.headers["content-type"] == "application/json"
    assert plain.json()["result"]["tools"]
    assert plain.headers["x-request-id"]
    streamed = post(organization, key=organization.api_key)
    assert streamed.headers["content-type"].startswith("text/event-stream")


def test_what_is_no_json_rpc_is_refused_in_words(organization: Organization) -> None:
    for body in ([], {"jsonrpc": "2.0"}, "text"):
        answer = post(organization, body, key=organization.api_key)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]


def test_a_body_that_is_too_large_is_refused_early(organization: Organization) -> None:
    host = urlsplit(organization.base_url).netloc
    with closing(HTTPConnection(host, timeout=20)) as connection:
        connection.putrequest("POST", "/mcp")
        for name, value in (HEADERS | organization.headers | {"Content-Length": "99999999"}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert b"smaller attachments" in answer.read()


async def test_the_inbox_that_is_meant(organization: Organization) -> None:
    """Named in the call, for the connection, or the only one; else the call says which there are."""
    key, base = organization.api_key, organization.base_url
    async with over_http(base, key) as client:
        text, error = await refused(client, "check_inbox")
        assert "create_inbox" in text
        first = organization.new_inbox()
        assert (await done(client, "check_inbox"))["total"] == 0
        second = organization.new_inbox()
        text, error = await refused(client, "check_inbox")
        assert error["argument"] == "inbox_id"
        assert first["email"] in text
        assert second["email"] in text
    listed = (await _drafted(base, key, first)), (await _drafted(base, key, second))
    assert listed == ([first["email"]], [second["email"]])
    async with over_stdio(base, key, inbox=second["email"]) as client:
        made = await done(client, "create_draft", to="a@b.test", subject="x", text="y")
        shown = (await done(client, "list_inboxes"))["inboxes"]
        assert made["draft"]["inbox_id"] in [
            one["inbox_id"] for one in shown if one["address"] == second["email"]
        ]


async def _drafted(base: str, key: str, inbox: dict[str, Any]) -> list[str]:
    async with over_http(base, key, inbox=inbox["email"]) as client:
        sent = await done(client, "send_email", to="a@abroad.test", subject="x", text="y")
        return [sent["from"]]
