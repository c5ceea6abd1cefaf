"""Sender rules: whose mail comes through, and that the rest does not exist for /v1 (contract §11)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint


class Desk:
    """One inbox that hears from several senders."""

    def __init__(self, gateway: GatewayProcess, organization: Organization) -> None:
        self.gateway, self.organization = gateway, organization
        self.inbox = organization.new_inbox()
        self.address = self.inbox["email_address"]

    def rule(self, action: str, sender: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = call(
            self.organization, "POST", "sender-rules", {"action": action, "sender": sender, **more}
        )
        return made

    def mode(self, mode: str, **more: Any) -> None:
        call(self.organization, "PUT", "sender-rules/mode", {"mode": mode, **more})

    def hear(self, *senders: str) -> dict[str, set[str]]:
        """Deliver one mail of each sender; answers its labels by sender, when all are there."""
        for sender in senders:
            mail = new_mail(self.address, f"From {uuid.uuid4().hex}", sender=sender)
            deliver(self.gateway.port("smtp"), mail, self.address, sender="bounces@abroad.test")
        path = f"inboxes/{self.address}/messages?include_blocked=true"

        def all_there() -> dict[str, set[str]] | None:
            rows = self.organization.call("GET", path)["data"]
            found = {row["from"].lower(): set(row["labels"]) for row in rows}
            return found if len(rows) >= len(senders) else None

        return until(all_there, why=f"mail of {senders}")


@pytest.fixture
def desk(gateway: GatewayProcess, organization: Organization) -> Desk:
    return Desk(gateway, organization)


def blocked(heard: dict[str, set[str]]) -> set[str]:
    return {sender for sender, labels in heard.items() if "blocked" in labels}


def test_a_blocked_address_and_domain_vanish_whatever_their_case(desk: Desk) -> None:
    desk.rule("block", "Eve@Abroad.Test")
    desk.rule("block", "spam.test")
    heard = desk.hear("EVE@abroad.test", "x@Spam.test", "y@sub.spam.test", "ann@abroad.test")
    assert blocked(heard) == {"eve@abroad.test", "x@spam.test"}


def test_filtered_mail_does_not_exist(desk: Desk) -> None:
    inbox, organization = desk.inbox["postern_id"], desk.organization
    body = {"to": "eve@abroad.test", "subject": "Hi", "body": "first"}
    with webhook_endpoint() as endpoint:
        call(organization, "PUT", "webhook", {"url": endpoint.url})
        sent = call(organization, "POST", f"inboxes/{inbox}/send", body, headers={"Idempotency-Key": "1"})
        desk.rule("block", "eve@abroad.test")
        for number, answers in enumerate(({"In_Reply_To": sent["providerMessageId"]}, {})):
            mail = new_mail(desk.address, f"Filtered {number}", sender="eve@abroad.test", **answers)
            mail.add_attachment("a,b\n", subtype="csv", filename="x.csv")
            deliver(desk.gateway.port("smtp"), mail, desk.address)
        deliver(desk.gateway.port("smtp"), new_mail(desk.address, "Seen"), desk.address)
        until(lambda: endpoint.posts, why="the event of the mail that came through")
    path = f"inboxes/{desk.address}/messages?include_blocked=true"
    rows = organization.call("GET", path)["data"]
    filtered = {row["subject"]: row for row in rows if "blocked" in row["labels"]}
    assert set(filtered) == {"Filtered 0", "Filtered 1"}

    messages = call(organization, "GET", f"inboxes/{inbox}/messages")
    assert ([row["subject"] for row in messages["data"]], messages["total"]) == (["Seen", "Hi"], 2)
    threads = call(organization, "GET", f"inboxes/{inbox}/threads")
    assert threads["total"] == 2
    shown = {row["subject"]: (row["messageCount"], row["isRead"]) for row in threads["data"]}
    assert shown == {"Seen": (1, False), "Hi": (1, True)}
    assert len(call(organization, "GET", f"threads/{sent['threadId']}/messages")["data"]) == 1
    whole = organization.call(
        "GET", f"inboxes/{desk.address}/messages/{filtered['Filtered 1']['message_id']}"
    )
    for method, gone, change in (
        ("GET", f"threads/{whole['thread_id']}/messages", None),
        ("PATCH", f"threads/{whole['thread_id']}", {"is_read": True}),
        ("GET", f"attachments/{whole['message_id']}/x.csv", None),
        ("GET", f"attachments/{filtered['Filtered 0']['message_id']}/x.csv/text", None),
    ):
        assert call(organization, method, gone, change, status=404)["error"] == "not_found"
    body = {"to": "ann@abroad.test", "threadId": sent["threadId"], "body": "more"}
    more = call(organization, "POST", f"inboxes/{inbox}/send", body, headers={"Idempotency-Key": "2"})
    reply = organization.call("GET", f"inboxes/{desk.address}/messages/{more['messageId']}")
    assert reply["references"] == [sent["providerMessageId"]]
    assert {post.json["message"]["subject"] for post in endpoint.posts} == {"Seen"}


def test_the_allowlist_lets_in_only_whom_it_names_and_block_wins(desk: Desk) -> None:
    desk.rule("allow", "abroad.test")
    desk.rule("block", "eve@abroad.test")
    desk.mode("allowlist")
    heard = desk.hear("ann@abroad.test", "eve@abroad.test", "bob@else.test")
    assert blocked(heard) == {"eve@abroad.test", "bob@else.test"}


def test_without_the_mode_an_allow_rule_keeps_nobody_out(desk: Desk) -> None:
    desk.rule("allow", "abroad.test")
    assert blocked(desk.hear("ann@abroad.test", "bob@else.test")) == set()


def test_a_rule_of_one_inbox_is_for_that_inbox(desk: Desk) -> None:
    other = Desk(desk.gateway, desk.organization)
    desk.rule("block", "abroad.test", inboxId=desk.inbox["postern_id"])
    assert blocked(desk.hear("ann@abroad.test")) == {"ann@abroad.test"}
    assert blocked(other.hear("ann@abroad.test")) == set()


def test_rules_are_listed_and_taken_away(organization: Organization) -> None:
    inbox = organization.new_inbox()
    first = call(
        organization, "POST", "sender-rules", {"action": "block", "sender": "a@x.test", "reason": "rude"}
    )
    again = call(organization, "POST", "sender-rules", {"action": "block", "sender": "A@x.test"}, status=200)
    own = call(
        organization,
        "POST",
        "sender-rules",
        {"action": "allow", "sender": "y.test", "inboxId": inbox["postern_id"]},
    )
    assert again["id"] == first["id"]
    assert first["reason"] == "rude"
    assert (first["type"], own["type"]) == ("address", "domain")
    assert (first["podId"], first["inboxId"]) == (None, None)
    assert (own["podId"], own["inboxId"]) == (inbox["pod_id"], inbox["postern_id"])
    listed = call(organization, "GET", "sender-rules")
    assert [row["id"] for row in listed["data"]] == [own["id"], first["id"]]
    assert listed["total"] == 2
    assert call(organization, "GET", f"sender-rules?inboxId={inbox['inbox_id']}")["data"] == [own]
    assert call(organization, "GET", "sender-rules?action=block&limit=1")["data"] == [first]
    call(organization, "DELETE", f"sender-rules/{first['id']}", status=204)
    call(organization, "DELETE", f"sender-rules/{first['id']}", status=404)
    assert call(organization, "GET", "sender-rules")["total"] == 1


def test_the_mode_is_none_until_it_is_set(organization: Organization) -> None:
    inbox = organization.new_inbox()["postern_id"]
    assert call(organization, "GET", "sender-rules/mode") == {"mode": "none", "inboxId": None}
    call(organization, "POST", "sender-rules", {"action": "allow", "sender": "y.test"})
    assert call(organization, "GET", "sender-rules/mode")["mode"] == "none"
    call(organization, "PUT", "sender-rules/mode", {"mode": "allowlist", "inboxId": inbox})
    assert call(organization, "GET", "sender-rules/mode")["mode"] == "none"
    assert call(organization, "GET", f"sender-rules/mode?inboxId={inbox}") == {
        "mode": "allowlist",
        "inboxId": inbox,
    }


def test_an_allow_list_of_the_other_dialect_is_an_allowlist(organization: Organization) -> None:
    call(organization, "POST", "sender-rules", {"action": "allow", "sender": "y.test"})
    organization.call("POST", "lists/receive/allow", json={"entry": "z.test"})
    assert call(organization, "GET", "sender-rules/mode")["mode"] == "allowlist"
    entries = organization.call("GET", "lists/receive/allow")["data"]
    assert {row["entry"] for row in entries} == {"y.test", "z.test"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "block"}, "sender"),
        ({"action": "drop", "sender": "a@x.test"}, "action"),
        ({"action": "block", "sender": "not a domain"}, "sender"),
        ({"action": "block", "sender": "@"}, "sender"),
        ({"action": "block", "sender": 7}, "sender"),
        ({"action": "block", "sender": "a@x.test", "reason": "x" * 1001}, "reason"),
    ],
)
def test_a_bad_rule_is_refused_by_name(organization: Organization, body: Any, field: str) -> None:
    refused = call(organization, "POST", "sender-rules", body, status=400)
    assert (refused["error"], refused["field"]) == ("bad_request", field)


def test_rules_are_the_account_keys_business(organization: Organization, gateway: GatewayProcess) -> None:
    inbox = organization.new_inbox()["postern_id"]
    key = organization.call("POST", f"inboxes/{inbox}/api-keys", json={"name": "one"})["api_key"]
    for method, path, body in (
        ("GET", "sender-rules", None),
        ("POST", "sender-rules", {"action": "block", "sender": "a@x.test"}),
        ("GET", "sender-rules/mode", None),
        ("PUT", "sender-rules/mode", {"mode": "allowlist"}),
    ):
        assert call(organization, method, path, body, key=key, status=403)["error"] == "forbidden"
    rule = call(organization, "POST", "sender-rules", {"action": "block", "sender": "a@x.test"})
    call(organization, "DELETE", f"sender-rules/{rule['id']}", key=key, status=403)
    stranger = gateway.new_organization()
    call(stranger, "DELETE", f"sender-rules/{rule['id']}", status=404)
    call(
        stranger,
        "POST",
        "sender-rules",
        {"action": "block", "sender": "a@x.test", "inboxId": inbox},
        status=404,
    )


def test_the_command_line_makes_lists_and_removes_rules(gateway: GatewayProcess) -> None:
    organization = gateway.new_organization()
    inbox = organization.new_inbox()["email_address"]
    place = ("--url", organization.base_url, "--key", organization.api_key, "--json")

    def postern(*arguments: str, code: int = 0) -> Any:
        done = gateway.postern("rule", *arguments, *place)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout if code == 0 else done.stderr)

    made = postern("add", "block", "eve@abroad.test", "--inbox", inbox)
    assert [row["id"] for row in postern("list", "--inbox", inbox)] == [made["id"]]
    assert postern("mode")["mode"] == "none"
    assert postern("mode", "allowlist")["mode"] == "allowlist"
    assert call(organization, "GET", "sender-rules/mode")["mode"] == "allowlist"
    postern("remove", made["id"])
    assert postern("list") == []
    assert "sender" in postern("add", "block", "no domain", code=1)["error"]
