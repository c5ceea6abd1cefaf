"""The nine events as /api/v1 webhooks get them, sandbox events, and what is not told."""

from __future__ import annotations

import email
from typing import Any

from tests.api_mailboxkit.calls import call, made
from tests.api_mailboxkit.hooks import Hook, hooked, new_inbox, own_stringify, valid
from tests.e2e.reports import delivery_report, feedback_report
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway
from tests.support.waiting import until
from tests.support.webhook_endpoint import Post, webhook_endpoint

OUTCOMES = ("message.sent", "message.delivered", "message.bounced", "message.complained", "message.rejected")


def send(organization: Organization, inbox: dict[str, Any], to: str, **more: Any) -> dict[str, Any]:
    body = {"to": [to], "subject": f"to {to}", "text": "The text.", **more}
    sent: dict[str, Any] = made(organization, f"inboxes/{inbox['id']}/messages/send", body)
    return sent


def about(hook: Hook, event: str, sent: dict[str, Any]) -> Post:
    """The one post of an event about a sent message, checked for what all have in common."""
    (post,) = hook.heard(event, id=sent["id"])
    assert valid(post, hook.secret)
    assert own_stringify(post)
    told, data = post.json, post.json["data"]
    assert told["inbox_id"] == data["inbox_id"] == sent["inbox_id"]
    for name in (
        "ulid",
        "message_id",
        "from_email",
        "to_emails",
        "cc_emails",
        "subject",
        "thread_id",
        "test",
    ):
        assert data[name] == sent[name], name
    assert {"text_body", "html_body", "extracted_text"} <= set(data)
    assert data["status"] == event.partition(".")[2]
    return post


def test_what_becomes_of_a_sent_message(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox, foreign = new_inbox(organization), own_gateway.foreign
    with hooked(organization, *OUTCOMES) as hook:
        file = {"filename": "a.txt", "content": "YSBmaWxl", "content_type": "text/plain"}
        sent = send(
            organization, inbox, "late@abroad.test", html="<p>The <b>text</b>.</p>", attachments=[file]
        )
        (mail,) = foreign.wait("late@abroad.test")
        left = about(hook, "message.sent", sent).json["data"]
        assert left["recipients"] == ["late@abroad.test"]
        assert left["text_body"].strip() == "The text."
        assert left["html_body"].strip() == "<p>The <b>text</b>.</p>"
        assert [one["filename"] for one in left["attachments"]] == ["a.txt"]
        report = delivery_report(email.message_from_bytes(mail.data), "late@abroad.test", "failed")
        deliver(own_gateway.smtp_port, report, mail.mail_from, sender="")
        bounced = about(hook, "message.bounced", sent).json["data"]
        assert bounced["recipients"] == ["late@abroad.test"]
        assert bounced["bounce_type"] == "Permanent"
        assert "5.2.1" in bounced["reason"]

        spam = send(organization, inbox, "spam@abroad.test")
        (mail,) = foreign.wait("spam@abroad.test")
        report = feedback_report(email.message_from_bytes(mail.data), "spam@abroad.test")
        deliver(own_gateway.smtp_port, report, mail.mail_from, sender="fbl@abroad.test")
        complained = about(hook, "message.complained", spam).json["data"]
        assert complained["recipients"] == ["spam@abroad.test"]
        assert complained["reason"] == "abuse"

        foreign.refuse["none@abroad.test"] = "550 5.7.1 we will not have it"
        refused = send(organization, inbox, "none@abroad.test")
        rejected = about(hook, "message.rejected", refused).json["data"]
        assert "we will not have it" in rejected["reason"]
        shown = call(organization, "GET", f"inboxes/{inbox['id']}/messages/{refused['id']}")["data"]
        assert shown["status"] == "rejected"

        other = new_inbox(organization)
        near = send(organization, inbox, other["email"])
        assert about(hook, "message.delivered", near).json["data"]["recipients"] == [other["email"]]
        about(hook, "message.sent", near)
        assert not [one for one in hook.endpoint.posts if one.json["data"]["id"] == refused["id"]][1:]


def test_inboxes_come_and_go(organization: Organization) -> None:
    with hooked(organization, "inbox.created", "inbox.deleted") as hook, webhook_endpoint() as elsewhere:
        # a webhook of another dialect that asks for everything
        organization.call("POST", "webhooks", json={"url": elsewhere.url, "event_types": []})
        inbox = new_inbox(organization, "Sales")
        (made_known,) = hook.heard("inbox.created")
        through_v0 = organization.new_inbox()
        hook.heard("inbox.created", email=through_v0["email_address"])
        call(organization, "DELETE", f"inboxes/{inbox['id']}")
        (gone,) = hook.heard("inbox.deleted")
        for post in (made_known, gone):
            assert valid(post, hook.secret)
            assert own_stringify(post)
            assert post.json["inbox_id"] == inbox["id"]
            assert post.json["data"] == inbox
        assert elsewhere.posts == []


def test_nothing_of_a_deleted_inbox_is_told_but_that_it_is_gone(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox, other = new_inbox(organization), new_inbox(organization)
    with hooked(organization, "message.received", "message.sent", "inbox.deleted") as hook:
        hook.endpoint.answer = lambda post: 500  # so that events wait
        for number in range(3):
            deliver(gateway.port("smtp"), new_mail(inbox["email"], f"secret {number}"), inbox["email"])
        hook.heard("message.received", 3)
        call(organization, "DELETE", f"inboxes/{inbox['id']}", status=204)
        posts = len([one for one in hook.endpoint.posts if one.json["event"] == "message.received"])
        hook.endpoint.answer = lambda post: 200
        (gone,) = hook.heard("inbox.deleted")
        assert b"secret" not in gone.body
        deliver(gateway.port("smtp"), new_mail(other["email"], "of another"), other["email"])
        hook.heard("message.received", subject="of another")
        late = [one for one in hook.endpoint.posts if one.json["inbox_id"] == inbox["id"]]
        # (a try that was on its way when the inbox went may still have arrived)
        assert len([one for one in late if one.json["event"] == "message.received"]) <= posts + 3
        until(
            lambda: [one["status"] for one in hook.attempts() if one["event"] == "inbox.deleted"], why="told"
        )
        assert {one["event"] for one in hook.attempts()} == {"inbox.deleted", "message.received"}
        assert {
            one["payload"]["inbox_id"] for one in hook.attempts() if one["event"] == "message.received"
        } == {other["id"]}


def test_a_sandbox_tells_and_sends_nothing(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = new_inbox(organization)
    key = made(organization, "api_keys", {"name": "Test Key", "test": True})["key"]
    with hooked(organization, *OUTCOMES) as hook:
        body = {"to": ["sandboxed@abroad.test"], "subject": "pretend", "text": "t"}
        sent = made(organization, f"inboxes/{inbox['id']}/messages/send", body, key=key)
        for event in ("message.sent", "message.delivered"):
            assert about(hook, event, sent).json["data"]["test"] is True
        real = send(organization, inbox, "real@abroad.test")
        assert about(hook, "message.sent", real).json["data"]["test"] is False
        own_gateway.foreign.wait("real@abroad.test")
        assert own_gateway.foreign.to("sandboxed@abroad.test") == []


def test_filtered_mail_is_not_told(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = new_inbox(organization)
    organization.call("POST", "lists/receive/block", json={"entry": "blocked@abroad.test"})
    with hooked(organization, "message.received") as hook:
        for sender in ("blocked", "welcome"):
            mail = new_mail(inbox["email"], sender, sender=f"{sender}@abroad.test")
            deliver(gateway.port("smtp"), mail, inbox["email"], sender=f"{sender}@abroad.test")
        hook.heard("message.received", subject="welcome")
        assert [one.json["data"]["subject"] for one in hook.endpoint.posts] == ["welcome"]
