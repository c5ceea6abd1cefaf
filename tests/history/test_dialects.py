"""``GET …/messages/{id}/history`` in each dialect, and ``postern message history``."""

from __future__ import annotations

from typing import Any

from tests.api_mailboxkit.calls import answer as mailboxkit
from tests.api_openmail.calls import call as openmail
from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint


def received(gateway: GatewayProcess, organization: Organization) -> tuple[dict[str, Any], str]:
    """A new inbox with one message; the inbox and the message's id."""
    inbox = organization.new_inbox()
    deliver(gateway.port("smtp"), new_mail(inbox["email_address"]), inbox["email_address"])
    path = f"inboxes/{inbox['inbox_id']}/messages"
    rows = until(lambda: organization.call("GET", path)["messages"])
    return inbox, rows[0]["message_id"]


def test_a_received_message_from_its_arrival_to_the_trash(
    gateway: GatewayProcess, organization: Organization
) -> None:
    with webhook_endpoint() as endpoint:
        hook = organization.call(
            "POST",
            "webhooks",
            json={"url": endpoint.url + "/secret?token=1", "event_types": ["message.received"]},
        )
        inbox, message = received(gateway, organization)
        endpoint.wait("message.received")
        path = f"inboxes/{inbox['inbox_id']}/messages/{message}"
        for change in ({"remove_labels": ["unread"]}, {"add_labels": ["todo"]}, {"add_labels": ["trash"]}):
            organization.call("PATCH", path, json=change)

        def story() -> Any:
            found = organization.call("GET", f"{path}/history", params={"limit": 100})
            posted = [one for one in found["history"] if one["kind"] == "webhook"]
            return found if posted and posted[0]["facts"]["result"] == "taken" else None

        found = until(story)
        assert found["complete"] is True
        kinds = {one["kind"]: one for one in found["history"]}
        assert found["history"][0]["kind"] == "received"
        assert {"spf", "dkim", "dmarc"} <= set(kinds["received"]["facts"])
        assert "read" in kinds
        assert kinds["label_added"]["facts"] == {"label": "todo"}
        assert kinds["moved"]["facts"] == {"folder": "Trash"}
        posted = kinds["webhook"]["facts"]
        assert posted["webhook_id"] == hook["webhook_id"]
        assert posted["host"] == "127.0.0.1"
        assert (posted["http_status"], posted["tries"]) == (200, 1)
        assert "token" not in str(found)
        assert "secret" not in str(found)

        same = openmail(organization, "GET", f"inboxes/{inbox['inbox_id']}/messages/{message}/history")
        told = {one["kind"]: one for one in same["data"]}
        assert told["webhook"]["facts"]["httpStatus"] == 200
        assert (same["total"], same["complete"]) == (found["total"], True)
        again = mailboxkit(
            organization,
            "GET",
            f"inboxes/{inbox['inbox_id']}/messages/{message}/history",
            params={"per_page": 2},
        ).json()
        assert (len(again["data"]), again["meta"]["total"]) == (2, found["total"])
        assert again["complete"] is True


def test_the_ways_to_name_a_message(gateway: GatewayProcess, organization: Organization) -> None:
    inbox, message = received(gateway, organization)
    one = organization.call("GET", f"messages/{message}/history")
    rfc = organization.call("GET", f"inboxes/{inbox['inbox_id']}/messages/{message}")["headers"]["Message-ID"]
    with organization.client() as client:
        named = client.get(f"inboxes/{inbox['inbox_id']}/messages/{rfc.replace('<', '%3C')}/history")
        assert named.json()["history"] == one["history"]
        assert client.get("messages/msg_00000000000000000000000000/history").status_code == 404
        refused = client.get(f"messages/{message}/history", params={"limit": 101})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "limit")


def test_another_organization_does_not_see_it(gateway: GatewayProcess, organization: Organization) -> None:
    inbox, message = received(gateway, organization)
    other = gateway.new_organization()
    own = other.new_inbox()
    with other.client() as client:
        for path in (
            f"messages/{message}/history",
            f"inboxes/{inbox['inbox_id']}/messages/{message}/history",
            f"inboxes/{own['inbox_id']}/messages/{message}/history",
        ):
            assert client.get(path).status_code == 404
    path = f"inboxes/{inbox['inbox_id']}/messages/{message}/history"
    openmail(other, "GET", path, status=404)
    assert mailboxkit(other, "GET", path).status_code == 404


def test_a_key_without_webhook_read_is_told_that_they_are_missing(
    gateway: GatewayProcess, organization: Organization
) -> None:
    _, message = received(gateway, organization)
    key = organization.call("POST", "api-keys", json={"name": "r", "permissions": {"message_read": True}})
    reader = Organization(organization.id, key["api_key"], organization.base_url)
    found = reader.call("GET", f"messages/{message}/history")
    assert not found["complete"]
    assert "webhook_read" in found["missing"][0]


def test_a_held_message_and_what_was_decided(gateway: GatewayProcess, organization: Organization) -> None:
    desk = Desk(gateway, organization)
    approved, rejected = desk.send(), desk.send()
    path = f"messages/{approved['message_id']}/history"
    held = organization.call("GET", path)["history"]
    assert [one["kind"] for one in held] == ["accepted", "held"]
    assert held[1]["facts"] == {"review_id": approved["review_id"], "reasons": ["approve_all"]}

    assert desk.decide(approved["review_id"], "approve").is_success
    assert desk.decide(rejected["review_id"], "reject", reason="not to them").is_success
    desk.settled(approved["message_id"])
    told = organization.call("GET", path, params={"limit": 100})["history"]
    assert [one["kind"] for one in told] == ["accepted", "held", "approved", "queued", "delivered"]
    assert told[2]["facts"]["decided_by"].startswith("key_")
    refused = organization.call("GET", f"messages/{rejected['message_id']}/history")["history"]
    (decision,) = [one for one in refused if one["kind"] == "review_rejected"]
    assert decision["facts"]["reason"] == "not to them"
    assert "queued" not in {one["kind"] for one in refused}


def test_a_sent_message_on_the_command_line(gateway: GatewayProcess) -> None:
    home = gateway.organization
    inbox = home.new_inbox()
    sent = home.call(
        "POST",
        f"inboxes/{inbox['inbox_id']}/messages/send",
        json={"to": inbox["email_address"], "subject": "s", "text": "t"},
    )
    path = f"messages/{sent['message_id']}/history"
    until(lambda: any(one["kind"] == "delivered" for one in home.call("GET", path)["history"]))
    done = gateway.postern("message", "history", sent["message_id"])
    assert done.returncode == 0, done.stderr
    assert "accepted for 1 recipient, asked for by the API key key_" in done.stdout
    assert f"{inbox['email_address']}: attempt 1 delivered it" in done.stdout
