"""Pauses over HTTP and on the command line: who sends meanwhile is answered as ever, and mail still comes in."""

from __future__ import annotations

from typing import Any

import httpx

from tests.cli.test_commands import answer
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until


def test_a_paused_inbox_sends_nothing_receives_and_goes_on_afterwards(
    gateway: GatewayProcess, organization: Organization
) -> None:
    call = organization.call
    ours, theirs = organization.new_inbox()["email"], organization.new_inbox()["email"]
    assert call("GET", f"inboxes/{ours}/pause") == {"paused": False, "pauses": []}
    made = call("POST", f"inboxes/{ours}/pause", json={"reason": "it answers itself"})
    (pause,) = made["pauses"]
    assert made["paused"]
    assert (pause["level"], pause["name"], pause["reason"]) == ("inbox", ours, "it answers itself")
    held = call("GET", f"inboxes/{ours}")["pause"]
    assert held == {"level": "inbox", "reason": "it answers itself", "since": pause["since"]}
    assert "pause" not in call("GET", f"inboxes/{theirs}")
    shown = {one["email"]: "pause" in one for one in call("GET", "inboxes")["inboxes"]}
    assert shown == {ours: True, theirs: False}

    for path, kept in (("/v1/inboxes", "data"), ("/api/v1/inboxes", "data")):
        url = f"{organization.base_url}{path}"
        rows = httpx.get(url, headers=organization.headers, trust_env=False).json()[kept]
        shown = {one.get("address") or one["email"]: one.get("pause") for one in rows}
        assert shown == {ours: held, theirs: None}, path

    sent = send(organization, ours, theirs, "held")
    send(organization, theirs, ours, "comes in")
    until(lambda: subjects(organization, ours) == ["comes in"])
    (row,) = until(lambda: [one for one in call("GET", "queue")["queue"] if one["paused"]])
    assert (row["id"], row["next_attempt_at"], row["sending"]) == (sent["message_id"], None, False)
    assert subjects(organization, theirs) == []
    assert gateway.organization.call("GET", "pauses")["pauses"] == []  # another organization's

    listed = gateway.postern("pause", "--list")
    assert ours in listed.stdout, listed
    assert "it answers itself" in listed.stdout
    status = gateway.postern("status").stdout
    assert "1 inbox" in status.partition("Paused")[2].partition("\n")[0], status
    lines = gateway.postern("queue", "list").stdout
    assert "paused" in lines, lines
    assert answer(gateway, "resume", ours) == {"paused": False, "pauses": []}
    until(lambda: subjects(organization, theirs) == ["held"])


def test_the_operator_pauses_any_organization_and_it_cannot_resume_itself(
    gateway: GatewayProcess, organization: Organization
) -> None:
    call = organization.call
    pod = call("POST", "pods", json={"name": "shop"})["pod_id"]
    box = organization.new_inbox(pod_id=pod)["email"]
    made = answer(gateway, "pause", "--organization", organization.id, "--reason", "an invoice is open")
    assert [one["authority"] for one in made["pauses"]] == ["operator"]
    assert call("GET", f"inboxes/{box}")["pause"]["level"] == "organization"
    assert call("GET", f"pods/{pod}/pause")["paused"]
    call("POST", f"pods/{pod}/pause")
    both = call("GET", f"inboxes/{box}/pause")["pauses"]
    assert [one["level"] for one in both] == ["organization", "pod"]
    with organization.client() as client:
        refused = client.delete("organizations/pause")
        assert refused.status_code == 403
        assert "operator" in refused.json()["message"]
        assert client.delete("server/pause").status_code == 403
        assert client.post(f"inboxes/{box}/pause", json={"reason": "x" * 501}).status_code == 400
    left = answer(gateway, "resume", "--organization", organization.id)
    assert left == {"paused": False, "pauses": []}
    assert [one["level"] for one in call("GET", f"inboxes/{box}/pause")["pauses"]] == ["pod"]
    assert call("DELETE", f"pods/{pod}/pause") == {"paused": False, "pauses": []}
    assert answer(gateway, "pause", "--pod", "pod_" + "0" * 26, code=3)["error"]
    assert "name one thing" in answer(gateway, "pause", code=2)["error"]


def send(organization: Organization, sender: str, to: str, subject: str) -> Any:
    body = {"to": [to], "subject": subject, "text": "t"}
    return organization.call("POST", f"inboxes/{sender}/messages/send", json=body)


def subjects(organization: Organization, inbox: str) -> list[str]:
    rows = organization.call("GET", f"inboxes/{inbox}/messages", params={"labels": "received"})["messages"]
    return [one["subject"] for one in rows]
