"""Webhooks at /api/v1: subscribing, secrets, the test, signatures, what is posted and to whom."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from gateway.api.mailboxkit.events_view import EVENTS
from gateway.api.mailboxkit.wire import mailboxkit_wire, plan
from gateway.settings import Settings, Webhooks
from tests.api_mailboxkit.calls import answer, call, client, made
from tests.api_mailboxkit.hooks import hooked, new_inbox, own_stringify, valid
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

URL = "http://127.0.0.1:8080/hook"


def test_a_webhook_is_made_shown_and_deleted(gateway: GatewayProcess, organization: Organization) -> None:
    body = {"name": "Email Notifications", "url": URL, "events": ["message.received", "message.sent"]}
    got = answer(organization, "POST", "webhooks", body)
    assert got.status_code == 201
    row = got.json()["data"]
    assert set(row) == {"id", "name", "url", "events", "secret", "created_at"}
    assert isinstance(row["id"], int)
    assert {**row, **body} == row
    assert len(row["secret"]) >= 32
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["created_at"])

    shown = {name: value for name, value in row.items() if name != "secret"}
    assert call(organization, "GET", f"webhooks/{row['id']}") == {"data": shown}
    nameless = made(organization, "webhooks", {"url": URL, "events": ["inbox.created"]})
    assert nameless["name"] is None
    listed = call(organization, "GET", "webhooks")
    assert [one["id"] for one in listed["data"]] == [nameless["id"], row["id"]]
    assert listed["data"][1] == shown
    assert listed["meta"] == {"current_page": 1, "last_page": 1, "per_page": 15, "total": 2}

    stranger = gateway.new_organization()
    for other, path in ((stranger, f"webhooks/{row['id']}"), (organization, "webhooks/not-an-id")):
        assert call(other, "GET", path, status=404)["error"] == "not_found"
        call(other, "DELETE", path, status=404)
        call(other, "POST", f"{path}/test", status=404)
        call(other, "GET", f"{path}/attempts", status=404)
    assert call(organization, "DELETE", f"webhooks/{row['id']}", status=204) is None
    call(organization, "GET", f"webhooks/{row['id']}", status=404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"events": ["message.received"]}, "url"),
        ({"url": "", "events": ["message.received"]}, "url"),
        ({"url": None, "events": ["message.received"]}, "url"),
        ({"url": "ftp://example.com/", "events": ["message.received"]}, "url"),
        ({"url": "http://169.254.169.254/latest", "events": ["message.received"]}, "url"),
        ({"url": "nonsense", "events": ["message.received"]}, "url"),
        ({"url": URL}, "events"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": "message.received"}, "events"),
        ({"url": URL, "events": ["message.received", "message.read"]}, "events.1"),
        ({"url": URL, "events": ["message.received.spam"]}, "events.0"),
        ({"url": URL, "events": ["webhook.test"]}, "events.0"),
        ({"url": URL, "events": ["message.received"], "name": "x" * 256}, "name"),
    ],
)
def test_what_does_not_do_is_named(organization: Organization, body: dict[str, Any], field: str) -> None:
    wrong = call(organization, "POST", "webhooks", body, status=422)
    assert list(wrong["errors"]) == [field]
    assert wrong["message"] == wrong["errors"][field][0]
    assert call(organization, "GET", "webhooks")["data"] == []


def test_every_documented_event_can_be_subscribed(organization: Organization) -> None:
    assert set(made(organization, "webhooks", {"url": URL, "events": list(EVENTS)})["events"]) == {
        *("message.received", "message.sent", "message.delivered", "message.bounced", "message.opened"),
        *("message.complained", "message.rejected", "message.delayed", "inbox.created", "inbox.deleted"),
        *("message.held", "message.approved", "review.rejected", "review.expired", "thread.merged"),
        *("message.risky", "guard.tripped"),
    }


def test_a_repeat_makes_no_second_webhook_and_shows_the_same_secret(organization: Organization) -> None:
    with client(organization) as http:
        body = {"url": URL, "events": ["message.received"]}
        first, again = (
            http.post("webhooks", json=body, headers={"Idempotency-Key": "the hook"}) for _ in range(2)
        )
    assert again.json() == first.json()
    assert again.headers["x-idempotent-replayed"] == "true"
    assert len(call(organization, "GET", "webhooks")["data"]) == 1


def test_the_test_says_what_the_endpoint_answered(organization: Organization) -> None:
    with hooked(organization, "message.received") as hook:
        path = f"webhooks/{hook.id}/test"
        good = call(organization, "POST", path, status=200)["data"]
        (post,) = hook.endpoint.posts
        assert valid(post, hook.secret)
        assert valid(post, hook.secret, "x-signature")
        assert own_stringify(post)
        assert post.json["event"] == "webhook.test"
        assert post.json["data"]["test"] is True
        assert good["status"] == "success"
        assert good["response_status"] == 200
        assert good["payload"] == post.json
        assert good["error"] is None

        hook.endpoint.answer = lambda post: 404
        bad = call(organization, "POST", path, status=200)["data"]
        assert (bad["status"], bad["response_status"]) == ("failed", 404)
        assert "404" in bad["error"]
        hook.endpoint.answer = lambda post: (302, {"Location": hook.endpoint.url + "/elsewhere"})
        assert "redirects are not followed" in call(organization, "POST", path)["data"]["error"]
        assert {one.path for one in hook.endpoint.posts} == {"/hook"}
        rows = hook.attempts()
        assert [one["response_status"] for one in rows] == [302, 404, 200]
        assert rows[2] == good
        assert all(one["next_retry_at"] is None for one in rows)
    with webhook_endpoint() as endpoint:
        away = made(organization, "webhooks", {"url": endpoint.url, "events": ["message.received"]})
    gone = call(organization, "POST", f"webhooks/{away['id']}/test", status=200)["data"]
    assert (gone["status"], gone["response_status"], gone["response_body"]) == ("failed", None, None)
    assert gone["error"]


def test_a_received_message_is_posted_as_documented(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = new_inbox(organization)
    mail = new_mail(inbox["email"], "Re: Order #1234", "Thanks, got it!\n")
    mail.add_alternative("<p>Thanks, <b>got it!</b></p>", subtype="html")
    mail.add_attachment(b"%PDF-1.4 receipt", maintype="application", subtype="pdf", filename="receipt.pdf")
    with hooked(organization, "message.received") as hook, hooked(organization, "message.sent") as deaf:
        deliver(gateway.port("smtp"), mail, inbox["email"])
        (post,) = hook.heard("message.received")
        assert deaf.endpoint.posts == []
    for header in ("x-mailboxkit-signature", "x-signature"):
        assert re.fullmatch(r"[0-9a-f]{64}", post.headers[header])
        assert valid(post, hook.secret, header)
        assert not valid(post, hook.secret + "x", header)
    assert post.headers["x-mailboxkit-event-id"].startswith("evt_")
    assert abs(int(post.headers["x-mailboxkit-timestamp"]) - post.at) < 300
    assert post.headers["content-type"] == "application/json"
    assert own_stringify(post)

    told = post.json
    assert set(told) == {"event", "timestamp", "inbox_id", "data"}
    assert told["inbox_id"] == inbox["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["timestamp"])
    data = told["data"]
    assert data["inbox_id"] == inbox["id"]
    assert data["message_id"] == mail["Message-ID"]
    assert data["from_email"] == "ann@abroad.test"
    assert data["from_name"] == "Ann Outside"
    assert data["to_emails"] == [inbox["email"]]
    assert data["subject"] == "Re: Order #1234"
    assert data["text_body"].strip() == "Thanks, got it!"
    assert data["html_body"].strip() == "<p>Thanks, <b>got it!</b></p>"
    assert data["status"] == "received"
    assert data["test"] is False
    assert isinstance(data["id"], int)
    assert isinstance(data["thread_id"], int)
    (file,) = data["attachments"]
    assert set(file) == {"id", "filename", "mime_type", "size", "url"}
    assert isinstance(file["id"], int)
    assert (file["filename"], file["mime_type"], file["size"]) == ("receipt.pdf", "application/pdf", 16)
    assert httpx.get(file["url"], trust_env=False).content == b"%PDF-1.4 receipt"  # without the key
    assert httpx.get(file["url"][:-2] + "AA", trust_env=False).status_code == 403

    shown = call(organization, "GET", f"inboxes/{inbox['id']}/messages/{data['id']}")["data"]
    assert {**shown, "attachments": None} == {**data, "attachments": None}
    assert [{**one, "url": None} for one in shown["attachments"]] == [{**file, "url": None}]


def test_a_deleted_webhook_is_silent(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = new_inbox(organization)
    with webhook_endpoint() as endpoint, hooked(organization, "message.received") as other:
        row = made(organization, "webhooks", {"url": endpoint.url, "events": ["message.received"]})
        call(organization, "DELETE", f"webhooks/{row['id']}")
        deliver(gateway.port("smtp"), new_mail(inbox["email"], "after"), inbox["email"])
        other.heard("message.received", subject="after")
        assert endpoint.posts == []


def test_each_hook_hears_for_itself(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = new_inbox(organization)
    with hooked(organization, "message.received") as one, hooked(organization, "message.received") as two:
        one.endpoint.answer = lambda post: 500
        deliver(gateway.port("smtp"), new_mail(inbox["email"], "to both"), inbox["email"])
        (first,) = two.heard("message.received")
        assert one.heard("message.received")[0].body == first.body
        assert valid(first, two.secret)
        assert not valid(first, one.secret)
        deliver(gateway.port("smtp"), new_mail(inbox["email"], "not behind the first"), inbox["email"])
        one.heard("message.received", subject="not behind the first")  # though the first still fails


def test_an_inbox_key_hears_of_its_inbox_only(gateway: GatewayProcess, organization: Organization) -> None:
    mine, other = new_inbox(organization), new_inbox(organization)
    key = organization.call("POST", f"inboxes/{mine['email']}/api-keys", json={"name": "narrow"})["api_key"]
    with webhook_endpoint() as endpoint, hooked(organization, "message.received") as wide:
        made(organization, "webhooks", {"url": endpoint.url, "events": ["message.received"]}, key=key)
        for inbox in (other, mine):
            deliver(gateway.port("smtp"), new_mail(inbox["email"], "hello"), inbox["email"])
            wide.heard("message.received", inbox_id=inbox["id"])
        until(lambda: endpoint.posts, why="the narrow key's post")
        assert [one.json["inbox_id"] for one in endpoint.posts] == [mine["id"]]
        assert call(organization, "GET", f"webhooks/{wide.id}", key=key, status=403)["error"] == "forbidden"


def test_seven_tries_within_a_day() -> None:
    waits: list[float] = []
    while (wait := plan(len(waits) + 1, status=500, retry_after=None, now=0.0, scale=1.0).delay) is not None:
        waits.append(wait)
    at = [sum(waits[:number]) for number in range(len(waits) + 1)]
    assert at == [0, 30, 120, 600, 3600, 6 * 3600, 24 * 3600]


def test_an_endpoint_has_ten_seconds_and_is_never_switched_off() -> None:
    wire = mailboxkit_wire(Settings(), b"secret")
    assert wire.timeout == 10.0
    assert mailboxkit_wire(Settings(webhooks=Webhooks(timeout=3.0)), b"secret").timeout == 3.0
    assert wire.disables is False
