"""Events as webhooks show them: exact keys, from the snapshot alone; the schedule; what is not sent (contract §8)."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from gateway.api.openmail.events_view import render, render_test
from gateway.api.openmail.wire import openmail_wire, plan
from gateway.events.deliver import body_of
from gateway.events.dialect_format import Try
from gateway.records.events import Event
from gateway.records.ids import EventId, InboxId, OrganizationId, PodId
from gateway.records.inboxes import Inbox
from gateway.settings import Http, Settings
from gateway.store.json_columns import dump
from tests.api_openmail.hooks import Hooks, about, account_hook, valid
from tests.events.samples import sample_event
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

NOW = 1_795_246_323_528_000
FIRST = Try(1, NOW)
BASE = "https://mail.example.test"


@pytest.fixture
def hooks(gateway: GatewayProcess, organization: Organization) -> Hooks:
    return Hooks(gateway, organization)


def snapshot(**message: Any) -> dict[str, Any]:
    facts = {
        "id": "01m7yg9x9rvkb2fb4fv65jsdym",
        "inbox_id": "01m7yg9xtynnzxzp991s31da3f",
        "thread_id": "01m7yg9xtyg8y98h3h2gc44hy8",
        "rfc_message_id": "<a@abroad.test>",
        "from": ["Ann", "ann@abroad.test"],
        "cc": [["Bob", "bob@abroad.test"], ["", "eve@abroad.test"]],
        "subject": "Grüße",
        "text": "Hello",
        "extracted_text": "Hello",
        "preview": "Hello",
        "attachments": [],
        "timestamp": NOW - 1_000_000,
    }
    inbox = {"id": facts["inbox_id"], "pod_id": "p", "address": "bot@example.test", "external_id": None}
    return {"message": {**facts, **message}, "inbox": inbox}


def event(kind: str, payload: dict[str, Any]) -> Event:
    return sample_event(kind, payload, id="01m7yg9x9r3dyp0asmy5pa8drm", created_at=NOW)


def shown(kind: str, payload: dict[str, Any], attempt: Try = FIRST) -> Any:
    body = body_of(openmail_wire(Settings(http=Http(public_url=BASE + "/"))), event(kind, payload), attempt)
    return None if body is None else json.loads(body)


NOT_CHECKED = {
    "verdict": "unknown",
    "identity": None,
    "spf": {"result": "none", "domain": None, "aligned": None},
    "dkim": [],
    "dmarc": {"result": "none", "policy": None, "domain": None, "aligned_by": []},
    "arc": {"result": None, "chain": [], "rescued_by": None},
    "first_contact": None,
    "signals": [],
}


def test_message_received_has_exactly_the_documented_keys_in_their_order() -> None:
    part = {"part": "2", "encoding": "7bit", "content_disposition": "attachment", "content_id": None}
    file = {"id": "att_1", "filename": "größe 1.txt", "content_type": "text/plain", "size": 2, **part}
    files = [
        {**file, "extraction_method": "text", "parsed_text": "hi"},
        {**file, "extraction_method": "unsupported"},
    ]
    got = shown("message.received", snapshot(attachments=files), Try(3, NOW + 90_000_000))
    link = f"{BASE}/v1/attachments/msg_01m7yg9x9rvkb2fb4fv65jsdym/gr%C3%B6%C3%9Fe%201"
    assert dump(got) == dump(
        {
            "event": "message.received",
            "event_id": "evt_01m7yg9x9r3dyp0asmy5pa8drm",
            "occurred_at": "2026-11-21T07:32:03.528Z",
            "delivered_at": "2026-11-21T07:33:33.528Z",
            "attempt": 3,
            "inbox_id": "inb_01m7yg9xtynnzxzp991s31da3f",
            "thread_id": "thr_01m7yg9xtyg8y98h3h2gc44hy8",
            "message": {
                "id": "msg_01m7yg9x9rvkb2fb4fv65jsdym",
                "rfc_message_id": "<a@abroad.test>",
                "from": "ann@abroad.test",
                "to": "bot@example.test",
                "cc": ["bob@abroad.test", "eve@abroad.test"],
                "subject": "Grüße",
                "body_text": "Hello",
                "attachments": [
                    {
                        "filename": "größe 1.txt",
                        "contentType": "text/plain",
                        "sizeBytes": 2,
                        "url": f"{link}.txt",
                        "extractionMethod": "text",
                        "parsedText": "hi",
                    },
                    {
                        "filename": "größe 1 (2).txt",
                        "contentType": "text/plain",
                        "sizeBytes": 2,
                        "url": f"{link}%20%282%29.txt",
                        "extractionMethod": "unsupported",
                    },
                ],
                "received_at": "2026-11-21T07:32:02.528Z",
                "auto_replyable": True,
                "category": "personal",
                "verdict": "clean",
                "spam_score": None,
                "trust": NOT_CHECKED,
            },
        }
    )


def test_an_external_id_is_told_beside_the_inbox() -> None:
    payload = snapshot()
    payload["inbox"]["external_id"] = "agent-123"
    got = shown("message.received", payload)
    assert list(got)[5:8] == ["inbox_id", "external_id", "thread_id"]
    assert got["external_id"] == "agent-123"


def test_what_a_mail_lacks_is_shown_empty() -> None:
    bare = {"from": None, "cc": [], "subject": "", "text": None, "extracted_text": None, "preview": ""}
    message = shown("message.received", snapshot(**bare, rfc_message_id=None))["message"]
    assert (message["from"], message["cc"], message["subject"], message["body_text"]) == ("", [], "", "")
    assert message["rfc_message_id"] is None


def test_a_text_too_long_for_the_snapshot_shows_its_reply_part() -> None:
    message = shown("message.received", snapshot(text=None, extracted_text="the new lines"))["message"]
    assert message["body_text"] == "the new lines"


@pytest.mark.parametrize(
    "kind",
    [
        *("message.received.spam", "message.received.blocked", "message.received.unauthenticated"),
        *("message.sent", "message.delivered", "message.bounced", "message.rejected", "domain.verified"),
    ],
)
def test_other_types_are_not_sent(kind: str) -> None:
    assert shown(kind, snapshot()) is None


@pytest.mark.parametrize(
    ("kind", "inbox", "reason"),
    [
        ("inbox.suspended", {"id": "i", "address": "bot@example.test"}, "high_bounce_rate"),
        ("inbox.reactivated", {"id": "i", "address": "bot@example.test"}, None),
        ("pod.suspended", None, "abuse"),
        ("pod.reactivated", None, None),
    ],
)
def test_reputation_events_have_their_own_keys(kind: str, inbox: Any, reason: str | None) -> None:
    assert shown(kind, {"inbox": inbox, "pod_id": "p", "reason": reason}) == {
        "event": kind,
        "event_id": "evt_01m7yg9x9r3dyp0asmy5pa8drm",
        "occurred_at": "2026-11-21T07:32:03.528Z",
        "inbox_id": "inb_i" if inbox else None,
        "inbox_address": "bot@example.test" if inbox else None,
        "pod_id": "pod_p",
        "reason": reason,
    }


def test_only_messages_are_left_to_sockets() -> None:
    assert openmail_wire(Settings()).prefer_socket == {"message.received"}


def an_inbox(ulid: str, address: str) -> Inbox:
    username, _, domain = address.partition("@")
    return Inbox(
        id=InboxId(ulid),
        number=1,
        organization_id=OrganizationId("o"),
        pod_id=PodId("p"),
        address=address,
        username=username,
        domain=domain,
        display_name=None,
        client_id=None,
        external_id=None,
        metadata_json="{}",
        status="active",
        active_at=NOW,
        created_at=NOW,
        updated_at=NOW,
        quota=None,
        fingerprints_since=0,
    )


def test_a_test_event_says_whom_it_is_for() -> None:
    got = render_test(EventId("e"), Try(1, NOW), an_inbox("i", "bot@example.test"))
    assert (got.event, got.event_id, got.inbox_id, got.attempt) == ("setup.test", "evt_e", "inb_i", 1)


def test_the_schedule_is_half_a_minute_doubling_up_to_four_and_five_tries() -> None:
    waits = [
        plan(n, status=status, retry_after="1", now=0, scale=1.0)
        for n, status in enumerate((500, 410, 302, None, 429), 1)
    ]
    assert [one.delay for one in waits] == [30, 60, 120, 240, None]
    assert not any(one.disable for one in waits)


def test_rendering_needs_nothing_but_the_row() -> None:
    late = Try(5, NOW + 90 * 86_400_000_000)
    got = render(event("message.received", snapshot()), late, BASE)
    assert got is not None
    assert got.delivered_at == "2027-02-19T07:32:03.528Z"


def test_a_real_mail_arrives_as_documented(hooks: Hooks) -> None:
    with account_hook(hooks) as (endpoint, secret):
        inbox = hooks.inbox(externalId="agent-123")
        other = hooks.inbox()
        mail = new_mail(f"Friends <{other['address']}>", "With everything", "Zeile eins\n\nZeile zwei\n")
        mail["Cc"] = f"Bot <{inbox['address']}>, Third <third@abroad.test>"
        mail.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="täble.csv")
        deliver(hooks.gateway.port("smtp"), mail, inbox["address"], other["address"])
        posts = about(endpoint, "With everything", 2)
        assert all(valid(one, secret) for one in posts)
        (got,) = [one.json for one in posts if one.json["inbox_id"] == inbox["id"]]
        assert got["external_id"] == "agent-123"
        assert got["message"]["to"] == inbox["address"]  # B5: this inbox, though the mail names another
        assert got["message"]["cc"] == [inbox["address"], "third@abroad.test"]
        assert got["message"]["from"] == "ann@abroad.test"
        assert got["message"]["rfc_message_id"] == mail["Message-ID"]
        assert got["message"]["body_text"].replace("\r\n", "\n").strip() == "Zeile eins\n\nZeile zwei"
        (file,) = got["message"]["attachments"]
        assert (file["filename"], file["contentType"], file["sizeBytes"]) == ("täble.csv", "text/csv", 8)
        listed = hooks.call("GET", f"inboxes/{inbox['id']}/messages")["data"][0]
        assert (listed["id"], listed["threadId"]) == (got["message"]["id"], got["thread_id"])
        assert listed["attachments"] == [file]
        path = f"/v1/attachments/{got['message']['id']}/t%C3%A4ble.csv"
        assert file["url"] == hooks.organization.base_url + path


def test_reputation_events_stay_out_of_the_other_dialect(hooks: Hooks) -> None:
    inbox = hooks.inbox()
    suspended = hooks.gateway.postern("inbox", "suspend", inbox["id"])
    assert suspended.returncode == 0, suspended.stderr
    hooks.hear(inbox, "after it")
    rows = until(lambda: hooks.organization.call("GET", "events")["data"])
    assert [one["event_type"] for one in rows] == ["message.received"]
    asked = hooks.organization.call("GET", "events?event_types=inbox.suspended")
    assert asked["data"] == []


def test_postern_webhook_from_its_first_url_to_its_end(gateway: GatewayProcess) -> None:
    hooks = Hooks(gateway, gateway.organization)

    def postern(*words: str) -> subprocess.CompletedProcess[str]:
        return gateway.postern("webhook", *words, "--json")

    with account_hook(hooks) as (endpoint, secret):
        assert json.loads(postern("show").stdout)["url"] == endpoint.url
        rotated = json.loads(postern("rotate").stdout)["webhookSecret"]
        assert json.loads(postern("set", endpoint.url + "/new").stdout)["url"] == endpoint.url + "/new"
        assert json.loads(postern("test").stdout)["ok"] is True
        assert valid(endpoint.posts[-1], rotated)
        assert not valid(endpoint.posts[-1], secret)
        refused = postern("set", "nonsense")
        assert refused.returncode != 0
        assert "https://" in refused.stderr
        assert postern("clear").returncode == 0
        assert hooks.call("GET", "webhook")["url"] is None
