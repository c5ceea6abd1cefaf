"""A held message leaves when a person approves it, exactly as it was held, and never otherwise."""

from __future__ import annotations

import json
import smtplib
from functools import partial
from typing import Any

import dkim
import httpx
import pytest

from gateway.api.times import iso_of
from gateway.records.ids import MESSAGE_ID, REVIEW_ID, now_us
from gateway.store.queries.outbox import FAR
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import new_mail
from tests.support.waiting import until


@pytest.fixture
def desk(gateway: GatewayProcess, organization: Organization) -> Desk:
    return Desk(gateway, organization)


def test_an_approved_message_arrives_once_with_the_octets_that_were_held(desk: Desk) -> None:
    other = str(desk.organization.new_inbox()["email"])
    key = {"idempotency-key": "k1"}
    agent = {"Authorization": f"Bearer {desk.agent_key}", **key}
    body = {"to": [desk.friend], "bcc": [other], "subject": "pay", "text": "Pay them.", "labels": ["bill"]}
    url = f"{desk.organization.base_url}/api/v0/inboxes/{desk.agent}/messages/send"
    answers = [httpx.post(url, json=body, headers=agent, trust_env=False, timeout=30) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    sent = answers[0].json()
    assert set(sent) == {"message_id", "thread_id", "review_id"}
    octets = desk.octets(sent["message_id"])

    review = desk.review(sent["review_id"])
    assert review["state"] == "pending"
    assert review["reasons"] == ["approve_all"]
    assert (review["to"], review["bcc"], review["subject"]) == ([desk.friend], [other], "pay")
    assert review["text"].strip() == "Pay them."
    assert review["size"] == len(octets)
    assert review["thread_id"] == sent["thread_id"]
    listed = desk.organization.call("GET", "reviews", params={"state": "pending", "inbox_id": desk.agent})
    assert [one["review_id"] for one in listed["reviews"]] == [sent["review_id"]]
    message = desk.organization.call("GET", f"inboxes/{desk.agent}/messages/{sent['message_id']}")
    assert message["labels"] == ["bill"]  # it is not sent
    assert desk.organization.call("GET", "queue")["queue"] == []
    with desk.organization.client() as client:
        refused = client.delete(f"inboxes/{desk.agent}/messages/{sent['message_id']}")
    assert refused.status_code == 409
    assert "review" in refused.text

    done = desk.decide(sent["review_id"], "approve", digest=review["digest"])
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "approved"
    assert done.json()["decided_by"].startswith("key_")
    raw = desk.arrived("pay")
    assert raw.endswith(octets)
    public = desk.gateway.database(
        lambda tx: sql(tx).value("SELECT dkim_public FROM domain WHERE name = 'postern.test'")
    )
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: str(public).encode())
    assert desk.settled(sent["message_id"]) == {"to": "delivered", "bcc": "delivered", "sent": "delivered"}
    assert (
        len(desk.organization.call("GET", f"inboxes/{other}/messages", params={"subject": "pay"})["messages"])
        == 1
    )
    assert len(desk.received("pay")) == 1

    for how in ("approve", "reject"):
        again = desk.decide(sent["review_id"], how)
        assert again.status_code == 409, again.text
        assert again.json()["code"] == "review_decided"
    assert len(desk.received("pay")) == 1
    shown = desk.review(sent["review_id"])
    assert (shown["state"], shown["text"], shown["size"]) == ("approved", None, None)
    told = [(name, fact.get("review_id")) for name, fact in desk.events(sent["message_id"])]
    assert told[:3] == [
        ("message.held", sent["review_id"]),
        ("message.approved", sent["review_id"]),
        ("message.sent", None),
    ]


def test_a_rejected_message_never_leaves_and_its_agent_reads_why(desk: Desk) -> None:
    sent = desk.send("rude")
    bad = desk.decide(sent["review_id"], "reject", reason="a\nb")
    assert bad.status_code in (400, 422), bad.text
    done = desk.decide(sent["review_id"], "reject", reason="Be kind.")
    assert done.status_code == 200, done.text
    assert desk.settled(sent["message_id"]) == {"to": "bounced", "sent": "bounced"}
    shown = desk.review(sent["review_id"])
    assert (shown["state"], shown["reason"]) == ("rejected", "Be kind.")
    told = dict(desk.events(sent["message_id"]))
    assert told["review.rejected"]["reason"] == "Be kind."
    assert told["message.rejected"]["reason"] == "rejected by a reviewer: Be kind."
    assert desk.decide(sent["review_id"], "approve").status_code == 409
    base = desk.organization.base_url
    for url, of, status in (("v1", "data", "failed"), ("api/v1", "data", "rejected")):
        answer = httpx.get(
            f"{base}/{url}/inboxes/{desk.agent}/messages",
            headers=desk.organization.headers,
            trust_env=False,
            timeout=30,
        )
        assert [one["status"] for one in answer.json()[of]] == [status]
    desk.organization.call("DELETE", f"inboxes/{desk.agent}/messages/{sent['message_id']}")
    assert desk.received("rude") == []


def test_nobody_deciding_in_time_rejects(desk: Desk) -> None:
    sent = desk.send("late")
    waits = desk.send("waits")

    def past(tx: Tx) -> None:
        ulid = REVIEW_ID.parse(sent["review_id"])
        sql(tx).run("UPDATE review SET expires_at = ? WHERE id = ?", now_us() - 1, ulid)

    desk.gateway.database(past)
    refused = desk.decide(sent["review_id"], "approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "review_expired")
    until(lambda: desk.review(sent["review_id"])["state"] == "expired")
    assert desk.settled(sent["message_id"]) == {"to": "bounced", "sent": "bounced"}
    told = [name for name, _ in desk.events(sent["message_id"])]
    assert told == ["message.held", "review.expired", "message.rejected"]
    assert desk.decide(sent["review_id"], "approve").json()["code"] == "review_expired"
    assert desk.received("late") == []
    assert desk.review(waits["review_id"])["state"] == "pending"


def test_who_may_not_decide(desk: Desk, gateway: GatewayProcess) -> None:
    own = desk.key()
    sent = desk.send(key=own)
    review_id = sent["review_id"]
    shown = desk.review(review_id)
    assert shown["asked_by"].startswith("key_")
    unable = desk.key(permissions={"message_read": True, "message_send": True})
    for key in (own, desk.agent_key, unable):
        for how in ("approve", "reject"):
            assert desk.decide(review_id, how, key).status_code == 403
    stranger = gateway.new_organization()
    assert desk.decide(review_id, "approve", stranger.api_key).status_code == 404
    assert desk.decide("rev_" + "0" * 26, "approve").status_code == 404
    assert desk.decide("nonsense", "reject").status_code == 404
    other_pod = desk.organization.call("POST", "pods", json={"name": "other"})["pod_id"]
    of_pod = desk.key(f"pods/{other_pod}/")
    assert desk.decide(review_id, "approve", of_pod).status_code == 403
    listed = Organization(desk.organization.id, of_pod, desk.organization.base_url).call("GET", "reviews")
    assert listed["reviews"] == []
    changed = desk.decide(review_id, "approve", digest="0" * 64)
    assert (changed.status_code, changed.json()["code"]) == (409, "digest_changed")
    assert desk.review(review_id)["state"] == "pending"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE outbox SET mime = ? WHERE id = ?",
        "UPDATE outbox SET mail_from = ? WHERE id = ?",
        "UPDATE outbox_recipient SET address = ? WHERE role = 'to' AND outbox_id = ?",
        "INSERT INTO outbox_recipient (address, outbox_id, role, state, attempts, updated_at) "
        "VALUES (?, ?, 'bcc', 'queued', 0, 0)",
    ],
)
def test_what_was_changed_in_the_outbox_is_not_sent(desk: Desk, change: str) -> None:
    sent = desk.send("changed")
    value: Any = b"more" if "mime" in change else "thief@elsewhere.test"
    desk.gateway.database(lambda tx: sql(tx).run(change, value, MESSAGE_ID.parse(sent["message_id"])))
    refused = desk.decide(sent["review_id"], "approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "digest_changed")
    assert desk.decide(sent["review_id"], "reject").status_code == 200


def test_who_unsubscribed_since_gets_nothing(desk: Desk) -> None:
    sent = desk.send()
    headers = desk.person.headers
    url = f"{desk.organization.base_url}/v1/suppressions"
    httpx.post(url, json={"address": desk.friend}, headers=headers, trust_env=False).raise_for_status()
    refused = desk.decide(sent["review_id"], "approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "recipient_suppressed")
    httpx.delete(f"{url}/{desk.friend}", headers=headers, trust_env=False).raise_for_status()
    assert desk.decide(sent["review_id"], "approve").status_code == 200


def test_each_dialect_says_that_it_is_pending(desk: Desk) -> None:
    base, headers = desk.organization.base_url, {"Authorization": f"Bearer {desk.agent_key}"}
    openmail = httpx.post(
        f"{base}/v1/inboxes/{desk.agent}/send",
        json={"to": desk.friend, "subject": "o", "body": "b"},
        headers=headers,
        trust_env=False,
        timeout=30,
    )
    assert openmail.status_code == 200, openmail.text
    assert openmail.json()["status"] == "pending"
    mailboxkit = httpx.post(
        f"{base}/api/v1/inboxes/{desk.agent}/messages/send",
        json={"to": desk.friend, "subject": "m", "text": "b"},
        headers=headers,
        trust_env=False,
        timeout=30,
    )
    assert mailboxkit.status_code == 201, mailboxkit.text
    assert mailboxkit.json()["data"]["status"] == "queued"
    mcp = httpx.post(
        f"{base}/mcp",
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": "send_email",
                "arguments": {"to": desk.friend, "subject": "c", "text": "b", "idempotency_key": "k"},
            },
        },
        headers={**headers, "Accept": "application/json, text/event-stream"},
        trust_env=False,
        timeout=30,
    )
    text = mcp.text
    result = json.loads(text[text.index("{") :].splitlines()[0])["result"]
    assert "do not send it again" in result["content"][0]["text"]
    assert result["structuredContent"]["status"] == "held"
    ids = {
        openmail.json()["reviewId"],
        mailboxkit.json()["data"]["review_id"],
        result["structuredContent"]["review_id"],
    }
    listed = desk.organization.call("GET", "reviews")["reviews"]
    assert {one["review_id"] for one in listed} == ids
    assert all(desk.decide(one, "reject").is_success for one in ids)


def test_a_scheduled_draft_is_held_when_its_time_comes(desk: Desk) -> None:
    draft = {"to": [desk.friend], "subject": "soon", "text": "t", "send_at": iso_of(now_us() + 1_500_000)}
    desk.organization.call("POST", f"inboxes/{desk.agent}/drafts", json=draft)
    (held,) = until(lambda: desk.organization.call("GET", "reviews")["reviews"])
    assert (held["subject"], held["state"]) == ("soon", "pending")
    assert desk.decide(held["review_id"], "approve").is_success
    desk.arrived("soon")


def test_a_deleted_inbox_leaves_no_review(desk: Desk) -> None:
    sent = desk.send()
    desk.organization.call("DELETE", f"inboxes/{desk.agent}")
    ulid = REVIEW_ID.parse(sent["review_id"])
    until(
        lambda: not desk.gateway.database(lambda tx: sql(tx).rows("SELECT 1 FROM review WHERE id = ?", ulid))
    )
    assert desk.decide(sent["review_id"], "approve").status_code == 404


def test_what_was_sent_before_a_restore_is_not_sent_again(desk: Desk) -> None:
    """The database of before the decision, with the mailboxes of after it."""
    for how in ("approve", "reject"):
        sent = desk.send(f"twice {how}")
        octets, ulid = desk.octets(sent["message_id"]), MESSAGE_ID.parse(sent["message_id"])
        assert desk.decide(sent["review_id"], "approve").is_success
        desk.arrived(f"twice {how}")
        desk.settled(sent["message_id"])
        until(partial(desk.in_sent, sent["message_id"]))

        def older(tx: Tx, octets: bytes = octets, ulid: str | None = ulid) -> None:
            sql(tx).run(
                "UPDATE outbox SET state = 'held', mime = ?, next_at = ? WHERE id = ?", octets, FAR, ulid
            )
            sql(tx).run("UPDATE outbox_recipient SET state = 'attempting' WHERE outbox_id = ?", ulid)
            sql(tx).run("UPDATE review SET state = 'pending', decided_at = NULL WHERE message_id = ?", ulid)

        desk.gateway.database(older)
        done = desk.decide(sent["review_id"], how)
        assert (done.status_code, done.json()["state"]) == (200, "approved")
        assert set(desk.settled(sent["message_id"]).values()) == {"sent"}
        assert len(desk.received(f"twice {how}")) == 1


def test_a_mail_client_is_told_that_the_mail_needs_approval(desk: Desk) -> None:
    access = desk.organization.call("POST", f"inboxes/{desk.agent}/credentials")
    with smtplib.SMTP("127.0.0.1", access["smtp"]["port"], timeout=30) as smtp:
        smtp.login(desk.agent, access["password"])
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.sendmail(
                desk.agent, [desk.friend], new_mail(desk.friend, "by hand", sender=desk.agent).as_bytes()
            )
    assert refused.value.smtp_code >= 500
    assert b"when a person approves it" in refused.value.smtp_error


def test_a_sandbox_send_is_recorded_and_not_held(desk: Desk) -> None:
    made = httpx.post(
        f"{desk.organization.base_url}/api/v1/api_keys",
        json={"name": "sandbox", "test": True},
        headers=desk.organization.headers,
        trust_env=False,
    )
    key = made.json()["data"]["key"]
    assert "review_id" not in desk.send(key=key)
    sent = desk.send()
    assert desk.decide(sent["review_id"], "approve", key).status_code == 403
