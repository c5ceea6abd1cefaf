"""A held message is edited: approval sends the new one, and the review keeps what was changed."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from typing import Any

import dkim
import httpx
import pytest

from gateway.store.sql import sql
from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until


@pytest.fixture
def desk(gateway: GatewayProcess, organization: Organization) -> Desk:
    return Desk(gateway, organization)


def edited(desk: Desk, review_id: str, **body: Any) -> dict[str, Any]:
    answer: httpx.Response = desk.decide(review_id, "edit", **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_was_edited_is_what_arrives(desk: Desk) -> None:
    other = str(desk.organization.new_inbox()["email"])
    sent = desk.send(
        "Ordr",
        html="<p>Hello.</p>",
        headers={"X-Case": "42"},
        bcc=[other],
        attachments=[{"filename": "a b.csv", "content": base64.b64encode(b"1,2\r\n3").decode()}],
    )
    before = desk.review(sent["review_id"])
    found = edited(
        desk, sent["review_id"], subject="Your order", text="It is on its way.", digest=before["digest"]
    )
    assert found["digest"] != before["digest"]
    assert (found["state"], found["subject"], found["bcc"]) == ("pending", "Your order", [other])
    (change,) = found["edits"]
    assert change["before"] == {"subject": "Ordr", "text": before["text"], "html": before["html"]}
    assert change["after"] == {"subject": "Your order", "text": "It is on its way.", "html": None}
    own = desk.organization.call("GET", f"inboxes/{desk.agent}/messages/{sent['message_id']}")
    assert (own["subject"], own["thread_id"], own["html"]) == ("Your order", sent["thread_id"], None)
    hits = desk.organization.call("GET", f"inboxes/{desk.agent}/messages/search", params={"q": "way"})[
        "messages"
    ]
    assert [one["message_id"] for one in hits] == [sent["message_id"]]

    stale = desk.decide(sent["review_id"], "approve", digest=before["digest"])
    assert (stale.status_code, stale.json()["code"]) == (409, "digest_changed")
    octets = desk.octets(sent["message_id"])
    assert desk.decide(sent["review_id"], "approve", digest=found["digest"]).is_success
    raw = desk.arrived("Your order")
    assert raw.endswith(octets)
    public = desk.gateway.database(
        lambda tx: sql(tx).value("SELECT dkim_public FROM domain WHERE name = 'postern.test'")
    )
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: str(public).encode())
    told = dict(desk.events(sent["message_id"]))
    assert "edited" not in told["message.held"]
    assert told["message.approved"]["edited"] is True
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["Message-ID"] == f"<{sent['message_id']}@postern.test>"
    assert mail["X-Case"] == "42"
    assert mail["Bcc"] is None
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("a b.csv", "1,2\r\n3")
    assert until(lambda: desk.organization.call("GET", f"inboxes/{other}/messages")["messages"])
    assert desk.received("Ordr") == []


def test_recipients_are_changed_within_the_rules(desk: Desk) -> None:
    other = str(desk.organization.new_inbox()["email"])
    sent = desk.send("whom")
    found = edited(desk, sent["review_id"], to=[f"Other <{other}>"], cc=[desk.friend])
    assert (found["to"], found["cc"]) == ([other], [desk.friend])
    headers, url = desk.person.headers, f"{desk.organization.base_url}/v1/suppressions"
    httpx.post(url, json={"address": "no@gone.example"}, headers=headers, trust_env=False).raise_for_status()
    refused = [
        desk.decide(sent["review_id"], "edit", to=["no@gone.example"]),
        desk.decide(sent["review_id"], "edit", to=[], cc=[]),
        desk.decide(sent["review_id"], "edit", to=["nobody"]),
        desk.decide(sent["review_id"], "edit", subject="a\nb"),
        desk.decide(sent["review_id"], "edit", subject="whom"),
        desk.decide(sent["review_id"], "edit", text="t", digest="0" * 64),
        desk.decide(sent["review_id"], "edit", desk.agent_key, text="t"),
    ]
    codes = [one.status_code for one in refused]
    assert codes[0] == 403
    assert all(code in (400, 422) for code in codes[1:5]), codes
    assert codes[5:] == [409, 403]
    assert desk.review(sent["review_id"])["digest"] == found["digest"]
    assert desk.decide(sent["review_id"], "approve").is_success
    assert desk.settled(sent["message_id"]) == {"to": "delivered", "cc": "delivered", "sent": "delivered"}
    (got,) = desk.organization.call("GET", f"inboxes/{other}/messages")["messages"]
    assert got["to"] == [f"Other <{other}>"]
    assert desk.decide(sent["review_id"], "edit", text="late").json()["code"] == "review_decided"
