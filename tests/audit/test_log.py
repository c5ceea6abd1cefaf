"""What an entry of the audit log says, and who reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.store.sql import sql
from tests.support.gateway_process import GatewayProcess, Organization


def log(organization: Organization, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = organization.call("GET", "audit", params=query)["audit"]
    return rows


def test_an_inbox_from_its_making_to_its_end(organization: Organization) -> None:
    inbox = organization.new_inbox()
    address = inbox["email_address"]
    organization.call("PATCH", f"inboxes/{address}", json={"display_name": "Support"})
    organization.call("PATCH", f"inboxes/{address}", json={"display_name": "Support"})
    organization.call("DELETE", f"inboxes/{address}")
    entries = log(organization, object=address)
    assert [one["operation"] for one in entries] == ["delete_inbox"] * (len(entries) - 2) + [
        "update_inbox",
        "create_inbox",
    ]
    made, changed, gone = entries[-1], entries[-2], entries[0]
    assert (made["action"], made["before"], made["after"]["address"]) == ("created", None, address)
    assert changed["after"] == {"display_name": "Support"}
    assert "display_name" in changed["before"] or changed["before"] == {}
    assert gone["action"] == "deleted"
    assert gone["before"]["display_name"] == "Support"
    assert (made["actor"], made["via"], made["ip_address"]) == ("key", "agentmail", "127.0.0.1")
    assert made["api_key_id"].startswith("key_")
    assert made["object_id"] == inbox["postern_id"]


def test_filters_and_pages(organization: Organization) -> None:
    for name in ("one", "two", "three"):
        organization.call("POST", "pods", json={"name": name})
    key = organization.call("POST", "api-keys", json={"name": "k"})
    organization.call("DELETE", f"api-keys/{key['api_key_id']}")
    assert [one["object_name"] for one in log(organization, object="pod")] == ["three", "two", "one"]
    assert [one["object_type"] for one in log(organization, action="deleted")] == ["api_key"]
    assert len(log(organization, action="create_pod", since="2020-01-01")) == 3
    assert log(organization, since="2090-01-01") == []
    first = organization.call("GET", "audit", params={"object": "pod", "limit": 2})
    rest = organization.call(
        "GET", "audit", params={"object": "pod", "limit": 2, "page_token": first["next_page_token"]}
    )
    assert [one["object_name"] for one in [*first["audit"], *rest["audit"]]] == ["three", "two", "one"]


def test_a_refused_call_and_a_read_leave_nothing(organization: Organization) -> None:
    with organization.client() as client:
        assert client.post("webhooks", json={"url": "no url", "event_types": ["message.received"]}).is_error
        assert client.get("pods").is_success
    inbox = organization.new_inbox()
    before = len(log(organization))
    draft = organization.call("POST", f"inboxes/{inbox['inbox_id']}/drafts", json={"text": "t"})
    sent = organization.call(
        "POST",
        f"inboxes/{inbox['inbox_id']}/messages/send",
        json={"to": inbox["email_address"], "text": "t", "subject": "s"},
    )
    organization.call(
        "PATCH",
        f"inboxes/{inbox['inbox_id']}/messages/{sent['message_id']}",
        json={"add_labels": ["x"]},
    )
    assert draft["draft_id"]
    assert len(log(organization)) == before


def test_only_keys_of_the_organization_read_it(gateway: GatewayProcess, organization: Organization) -> None:
    pod = organization.call("POST", "pods", json={"name": "mine"})["pod_id"]
    narrow = organization.call("POST", f"pods/{pod}/api-keys", json={"name": "k"})["api_key"]
    blind = organization.call("POST", "api-keys", json={"name": "b", "permissions": {"message_read": True}})[
        "api_key"
    ]
    for key in (narrow, blind):
        with Organization(organization.id, key, organization.base_url).client() as client:
            assert client.get("audit").status_code == 403
    assert log(gateway.new_organization()) == []


def test_a_tool_of_mcp_is_logged_with_its_name(gateway: GatewayProcess, organization: Organization) -> None:
    import httpx

    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "create_inbox", "arguments": {"name": "by a tool"}},
    }
    accepts = {"Accept": "application/json", "MCP-Protocol-Version": "2025-06-18"}
    answer = httpx.post(
        f"{gateway.base_url}/mcp",
        json=body,
        headers=accepts | organization.headers,
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert "isError" not in answer.json()["result"] or not answer.json()["result"]["isError"]
    made = [one for one in log(organization, object="inbox") if one["action"] == "created"]
    assert [(one["via"], one["operation"], one["ip_address"]) for one in made] == [
        ("mcp", "create_inbox", "127.0.0.1")
    ]


def test_the_operator_on_the_command_line(gateway: GatewayProcess, organization: Organization) -> None:
    address = organization.new_inbox()["email_address"]
    done = gateway.postern("inbox", "suspend", address, "--reason", "abuse")
    assert done.returncode == 0, done.stderr
    shown = gateway.postern("audit", "--object", address, "--json")
    assert shown.returncode == 0, shown.stderr
    entries = json.loads(shown.stdout)["audit"]
    suspended = [one for one in entries if one["actor"] == "operator"]
    assert suspended
    assert (suspended[0]["action"], suspended[0]["after"]) == ("suspended", {"reason": "abuse"})
    assert {one["organization_id"] for one in suspended} == {organization.id}
    assert [one for one in log(organization, object=address) if one["actor"] == "operator"] == suspended
    table = gateway.postern("audit", "--object", address)
    assert "operator" in table.stdout
    assert "created" in table.stdout


@pytest.mark.parametrize("value", ["x", "2026-13-01"])
def test_a_wrong_time_is_named(organization: Organization, value: str) -> None:
    with organization.client() as client:
        answer = client.get("audit", params={"since": value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "since"


def test_the_log_never_mixes_organizations(gateway: GatewayProcess, organization: Organization) -> None:
    """A new mailbox lifts what others hold against its address: that is not logged as a stranger's deed."""
    other = gateway.new_organization()
    name = "lifted-" + other.id[-8:]
    home = organization.new_inbox()["email_address"].partition("@")[2]

    def suppressed(tx: Any) -> None:
        row = {"address": f"{name}@{home}", "type": "bounce", "created_at": 1}
        sql(tx).insert("suppression", row | {"organization_id": other.id.removeprefix("org_")})

    gateway.database(suppressed)
    organization.new_inbox(name)
    assert log(other) == []
    assert [one["object_type"] for one in log(organization, object=f"{name}@{home}")] == ["inbox"]
