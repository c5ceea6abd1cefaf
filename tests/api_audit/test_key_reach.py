"""What a key may read is what its webhooks, event lists and replays carry; and whose keys and domains it touches."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint

TYPES = ["message.received", "message.sent"]
HOOKS = ("webhook_create", "webhook_read", "webhook_update")


def narrowed(organization: Organization, *permissions: str, path: str = "", **body: Any) -> dict[str, Any]:
    """A key of ``path`` with these permissions: its id, and itself as an organization to call by."""
    made = organization.call(
        "POST", f"{path}api-keys", json={"name": "k", "permissions": dict.fromkeys(permissions, True), **body}
    )
    key = Organization(organization.id, made["api_key"], organization.base_url)
    return {"id": made["api_key_id"], "key": key}


def answer(organization: Organization, method: str, path: str, body: Any = None) -> httpx.Response:
    """The answer to a call of any dialect."""
    return httpx.request(
        method,
        f"{organization.base_url}{path}",
        json=body,
        headers=organization.headers | {"Idempotency-Key": "x"},
        trust_env=False,
    )


def subjects(endpoint: Endpoint) -> list[str]:
    return [post.json["message"]["subject"] for post in list(endpoint.posts) if "message" in post.json]


def test_a_webhook_is_refused_to_a_key_that_may_not_read_mail(organization: Organization) -> None:
    pod = organization.call("POST", "pods", json={"name": "p"})["pod_id"]
    box = organization.new_inbox()["inbox_id"]
    blind = narrowed(organization, *HOOKS, "inbox_create", "inbox_webhook", "inbox_update")["key"]
    url = "http://127.0.0.1:8099/h"
    for path in ("webhooks", f"pods/{pod}/webhooks", f"inboxes/{box}/webhooks"):
        for types in (["message.received"], ["message.bounced", "domain.verified"]):
            got = answer(blind, "POST", f"/api/v0/{path}", {"url": url, "event_types": types})
            assert got.status_code == 403, (path, types)
            assert "message_read" in got.json()["message"]
    assert (
        answer(blind, "POST", "/api/v1/webhooks", {"url": url, "events": ["message.sent"]}).status_code == 403
    )
    assert answer(blind, "PUT", "/v1/webhook", {"url": url}).status_code == 403
    assert answer(blind, "PATCH", f"/v1/inboxes/{box}", {"webhookUrl": url}).status_code == 403
    assert answer(blind, "POST", "/v1/inboxes", {"webhookUrl": url}).status_code == 403
    assert organization.call("GET", "webhooks")["webhooks"] == []
    labelled = narrowed(organization, *HOOKS, "message_read")["key"]
    got = answer(labelled, "POST", "/api/v0/webhooks", {"url": url, "event_types": ["message.received.spam"]})
    assert (got.status_code, "label_spam_read" in got.text) == (403, True)


def test_nor_may_such_a_key_turn_a_webhook_there_is_to_itself(organization: Organization) -> None:
    hook = organization.call(
        "POST", "webhooks", json={"url": "http://127.0.0.1:8099/h", "event_types": TYPES}
    )
    blind, path = narrowed(organization, *HOOKS)["key"], f"/api/v0/webhooks/{hook['webhook_id']}"
    for method, where, body in (
        ("PATCH", path, {"url": "http://127.0.0.1:8099/mine"}),
        ("PATCH", path, {"enabled": True}),
        ("PATCH", f"{path}/headers", {"headers": {"X-A": "b"}}),
        ("POST", f"{path}/replay", {"since": "2020-01-01T00:00:00Z"}),
    ):
        got = answer(blind, method, where, body)
        assert got.status_code == 403, (where, got.text)
    assert organization.call("GET", f"webhooks/{hook['webhook_id']}")["url"] == "http://127.0.0.1:8099/h"


def test_a_webhook_narrows_with_its_key_and_ends_with_it(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box = organization.new_inbox()["email"]
    made = narrowed(organization, *HOOKS, "message_read")
    with webhook_endpoint() as ours, webhook_endpoint() as witness:
        hook = made["key"].call("POST", "webhooks", json={"url": ours.url, "event_types": TYPES})[
            "webhook_id"
        ]
        organization.call("POST", "webhooks", json={"url": witness.url, "event_types": TYPES})

        def arrives(subject: str) -> list[str]:
            """Mail comes, and the webhook of the organization has been told of it."""
            deliver(gateway.port("smtp"), new_mail(box, subject), box)
            until(lambda: subject in subjects(witness), why=f"the witness hears of {subject}")
            return subjects(ours)

        arrives("first")
        until(lambda: subjects(ours) == ["first"])
        path = f"api-keys/{made['id']}"
        organization.call("PATCH", path, json={"permissions": dict.fromkeys(HOOKS, True)})
        arrives("second")
        arrives("third")
        assert subjects(ours) == ["first"]
        organization.call("PATCH", path, json={"permissions": dict.fromkeys((*HOOKS, "message_read"), True)})
        arrives("fourth")
        until(lambda: subjects(ours) == ["first", "fourth"])
        organization.call("DELETE", path)
        shown = organization.call("GET", f"webhooks/{hook}")
        assert (shown["enabled"], "revoked" in shown["disabled_reason"]) == (False, True)
        arrives("fifth")
        assert subjects(ours) == ["first", "fourth"]
        # whoever switches it on again answers for it
        organization.call("PATCH", f"webhooks/{hook}", json={"enabled": True})
        arrives("sixth")
        until(lambda: subjects(ours) == ["first", "fourth", "sixth"])


def test_webhooks_of_an_unrestricted_key_outlive_it(organization: Organization) -> None:
    made = organization.call("POST", "api-keys", json={"name": "rotated"})
    rotated = Organization(organization.id, made["api_key"], organization.base_url)
    hook = rotated.call("POST", "webhooks", json={"url": "http://127.0.0.1:8099/h", "event_types": TYPES})[
        "webhook_id"
    ]
    organization.call("DELETE", f"api-keys/{made['api_key_id']}")
    assert organization.call("GET", f"webhooks/{hook}")["enabled"] is True


def test_replays_and_lists_tell_only_what_the_key_may_read(
    gateway: GatewayProcess, organization: Organization
) -> None:
    mine, other = organization.new_inbox()["email"], organization.new_inbox()["email"]
    for box in (mine, other):
        deliver(gateway.port("smtp"), new_mail(box, f"to {box}"), box)
    log = until(
        lambda: [one for one in organization.call("GET", "events")["events"] if "message" in one] or None
    )
    until(lambda: len(organization.call("GET", "events")["events"]) == 2)
    log = organization.call("GET", "events")["events"]
    theirs = next(one["event_id"] for one in log if one["message"]["subject"] == f"to {other}")
    made = organization.call("POST", f"inboxes/{mine}/api-keys", json={"name": "one inbox"})
    narrow = Organization(organization.id, made["api_key"], organization.base_url)
    with webhook_endpoint() as endpoint:
        hook = narrow.call("POST", "webhooks", json={"url": endpoint.url, "event_types": TYPES})["webhook_id"]
        for asker in (narrow, organization):
            got = answer(asker, "POST", f"/api/v0/webhooks/{hook}/replay", {"event_ids": [theirs]})
            assert got.status_code == 404, got.text
        organization.call("POST", f"webhooks/{hook}/replay", json={"since": "2020-01-01T00:00:00Z"})
        until(lambda: subjects(endpoint) == [f"to {mine}"])
    blind = narrowed(organization, "webhook_read")["key"]
    assert answer(blind, "GET", "/api/v0/events").status_code == 403
    some = narrowed(organization, "webhook_read", "domain_read")["key"]
    assert some.call("GET", "events")["events"] == []


def test_a_sandbox_keys_webhook_tells_of_test_sends_alone(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box = organization.new_inbox()["email"]
    made = answer(organization, "POST", "/api/v1/api_keys", {"name": "sandbox", "test": True}).json()["data"]
    sandbox = Organization(organization.id, made["key"], organization.base_url)
    live = organization.call(
        "POST", "webhooks", json={"url": "http://127.0.0.1:8099/live", "event_types": TYPES}
    )["webhook_id"]
    with webhook_endpoint() as ours, webhook_endpoint() as witness:
        hook = sandbox.call("POST", "webhooks", json={"url": ours.url, "event_types": TYPES})["webhook_id"]
        organization.call("POST", "webhooks", json={"url": witness.url, "event_types": TYPES})
        deliver(gateway.port("smtp"), new_mail(box, "live"), box)
        until(lambda: "live" in subjects(witness))
        sandbox.call("POST", f"inboxes/{box}/messages/send", json={"to": [box], "text": "t", "subject": "s"})
        until(lambda: [one.json["event_type"] for one in list(ours.posts)][:1] == ["message.sent"])
        assert subjects(ours) == []
    assert [one["webhook_id"] for one in sandbox.call("GET", "webhooks")["webhooks"]] == [hook]
    for method, path in (
        ("POST", f"/api/v0/webhooks/{live}/rotate-secret"),
        ("PATCH", f"/api/v0/webhooks/{live}"),
        ("DELETE", f"/api/v0/webhooks/{live}"),
        ("GET", f"/api/v0/webhooks/{live}"),
    ):
        assert answer(sandbox, method, path, {"enabled": False}).status_code == 403, path
    assert {one["type"] for one in sandbox.call("GET", "events")["events"]} <= {"event"}
    assert all(one["event_type"] != "message.received" for one in sandbox.call("GET", "events")["events"])


def test_a_key_is_found_under_its_own_inbox_or_pod_alone(organization: Organization) -> None:
    pod = organization.call("POST", "pods", json={"name": "p"})["pod_id"]
    mine, other = organization.new_inbox()["inbox_id"], organization.new_inbox()["inbox_id"]
    key = organization.call("POST", f"inboxes/{mine}/api-keys", json={"name": "k"})["api_key_id"]
    wide = organization.call("POST", "api-keys", json={"name": "k"})["api_key_id"]
    for one, under in (
        (key, f"inboxes/{other}"),
        (key, f"pods/{pod}"),
        (wide, f"inboxes/{mine}"),
        (wide, f"pods/{pod}"),
    ):
        for method in ("GET", "PATCH", "DELETE"):
            got = answer(organization, method, f"/api/v0/{under}/api-keys/{one}", {"name": "changed"})
            assert got.status_code == 404, (method, under)
    held = {one["api_key_id"]: one["name"] for one in organization.call("GET", "api-keys")["api_keys"]}
    assert (held[key], held[wide]) == ("k", "k")
    organization.call("DELETE", f"inboxes/{mine}/api-keys/{key}")


@pytest.mark.parametrize("path", ["", "pods/{pod}/"])
def test_a_pods_key_leaves_the_organizations_domains_alone(organization: Organization, path: str) -> None:
    pod = organization.call("POST", "pods", json={"name": "p"})["pod_id"]
    name, own = f"{pod[4:14]}.example", f"own-{pod[4:14]}.example"
    organization.call("POST", "domains", json={"domain": name})
    organization.call("POST", f"pods/{pod}/domains", json={"domain": own})
    made = organization.call("POST", f"pods/{pod}/api-keys", json={"name": "k"})
    key = Organization(organization.id, made["api_key"], organization.base_url)
    under = f"/api/v0/{path.format(pod=pod)}domains/{name}"
    wanted = {404} if path else {403}
    calls = [
        ("PATCH", under),
        ("DELETE", under),
        *([] if path else [("POST", f"{under}/rotate"), ("POST", f"{under}/mta-sts")]),
    ]
    for method, where in calls:
        got = answer(key, method, where, {"mode": "enforce", "feedback_enabled": False})
        assert got.status_code in wanted, (method, where, got.text)
    assert organization.call("GET", f"domains/{name}")["feedback_enabled"] is True
    key.call("PATCH", f"domains/{own}", json={"feedback_enabled": False})


def test_forwarding_takes_the_right_to_read(gateway: GatewayProcess, organization: Organization) -> None:
    box = organization.new_inbox()["email"]
    deliver(gateway.port("smtp"), new_mail(box, "private"), box)
    (got,) = until(lambda: organization.call("GET", f"inboxes/{box}/messages")["messages"])
    sender = narrowed(organization, "message_send", "draft_create", "draft_update", "draft_send")["key"]
    mail = f"/api/v0/inboxes/{box}/messages/{got['message_id']}"
    drafts = f"/api/v0/inboxes/{box}/drafts"
    body = {"to": ["me@elsewhere.example"], "forward_of": got["message_id"]}
    assert answer(sender, "POST", f"{mail}/forward", {"to": ["me@elsewhere.example"]}).status_code == 403
    assert answer(sender, "POST", drafts, body).status_code == 403
    draft = organization.call("POST", f"inboxes/{box}/drafts", json=body | {"to": [box]})["draft_id"]
    assert answer(sender, "POST", f"{drafts}/{draft}/send", {}).status_code == 403


def test_a_key_cannot_make_one_that_outlives_it(organization: Organization) -> None:
    end = "2099-01-01T00:00:00Z"
    made = organization.call("POST", "api-keys", json={"name": "k", "expires_at": end})
    key = Organization(organization.id, made["api_key"], organization.base_url)
    child = key.call("POST", "api-keys", json={"name": "child"})["api_key_id"]
    assert organization.call("GET", f"api-keys/{child}")["expires_at"][:10] == "2099-01-01"
    got = answer(key, "POST", "/api/v0/api-keys", {"name": "late", "expires_at": "2100-01-01T00:00:00Z"})
    assert (got.status_code, "outlive" in got.text) == (403, True)
