"""Mail from the world to the agent and back, seen from every side, on each mail server."""

from __future__ import annotations

import email
import shutil
import smtplib
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.reports import delivery_report, feedback_report
from tests.support.mails import deliver, new_mail, person, sees
from tests.support.own_gateway import OwnGateway
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, verified, webhook_endpoint


def name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@contextmanager
def hooked(own_gateway: OwnGateway, *types: str, inbox: str | None = None) -> Iterator[tuple[Endpoint, str]]:
    """An endpoint that is told of these events, and its secret; the webhook is deleted at the end."""
    with webhook_endpoint() as endpoint:
        body: dict[str, Any] = {"url": endpoint.url, "event_types": list(types)}
        if inbox:
            body["inbox_ids"] = [inbox]
        made = own_gateway.post("/webhooks", body)
        try:
            yield endpoint, made["secret"]
        finally:
            own_gateway.organization.call("DELETE", f"/webhooks/{made['webhook_id']}")


def by_smtplib(port: int, to: str, subject: str) -> None:
    deliver(port, new_mail(to, subject), to)


def by_swaks(port: int, to: str, subject: str) -> None:
    if shutil.which("swaks") is None:
        pytest.skip("swaks is not installed")
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{port}", "--helo", "abroad.test", "--from", "ann@abroad.test", "--to", to,
         "--header", f"Subject: {subject}", "--body", "A line from outside.", "--suppress-data"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("send", [by_smtplib, by_swaks])
def test_mail_from_outside_is_seen_on_every_side(own_gateway: OwnGateway, send: Any) -> None:
    inbox, subject = own_gateway.new_inbox(), name("Hello")
    address = inbox["email_address"]
    access = own_gateway.post(f"/inboxes/{address}/credentials")
    with hooked(own_gateway, "message.received", inbox=inbox["inbox_id"]) as (endpoint, secret):
        send(own_gateway.smtp_port, address, subject)
        (post,) = endpoint.wait("message.received")
        payload = verified(post, secret)
        assert payload["message"]["subject"] == subject
        (message,) = own_gateway.messages(address)
        assert payload["message"]["message_id"] == message["message_id"]
        assert message["direction"] == "inbound"
        assert "ann@abroad.test" in message["from"]
        with person("127.0.0.1", access["imap"]["port"], address, access["password"]) as client:
            assert len(sees(client, "INBOX", "SUBJECT", subject)) == 1
            client.store("1", "+FLAGS", "(\\Seen)")
        until(
            lambda: (
                "unread"
                not in own_gateway.get(f"/inboxes/{address}/messages/{message['message_id']}")["labels"]
            ),
            why="what a person read is read",
        )


def test_a_reply_threads_at_both_ends(own_gateway: OwnGateway) -> None:
    inbox, subject = own_gateway.new_inbox(), name("Question")
    address, customer = inbox["email_address"], f"{name('customer')}@abroad.test"
    sent = own_gateway.post(
        f"/inboxes/{address}/messages/send", {"to": customer, "subject": subject, "text": "q?"}
    )
    (question,) = own_gateway.foreign.wait(customer)
    assert sent["message_id"] in question.header("Message-ID")
    answer = new_mail(
        address, f"Re: {subject}", "a!", sender=customer,
        In_Reply_To=question.header("Message-ID"), References=question.header("Message-ID"),
    )  # fmt: skip
    deliver(own_gateway.smtp_port, answer, address, sender=customer)

    def inbound() -> list[dict[str, Any]]:
        return [one for one in own_gateway.messages(address) if one["direction"] == "inbound"]

    (got,) = until(inbound, why="the answer")
    assert got["thread_id"] == sent["thread_id"]
    second = own_gateway.post(f"/inboxes/{address}/messages/{got['message_id']}/reply", {"text": "thanks"})
    assert second["thread_id"] == sent["thread_id"]
    thanks = own_gateway.foreign.wait(customer, 2)[1]
    assert thanks.header("In-Reply-To") == str(answer["Message-ID"])
    assert thanks.header("References").split()[-2:] == [
        question.header("Message-ID"),
        str(answer["Message-ID"]),
    ]
    assert thanks.header("Subject") == f"Re: {subject}"
    assert b"DKIM-Signature:" in thanks.data
    thread = until(
        lambda: (found := own_gateway.get(f"/threads/{sent['thread_id']}"))["message_count"] == 3 and found,
        why="three in the thread",
    )
    assert [one["direction"] for one in thread["messages"]] == ["outbound", "inbound", "outbound"]


def test_agent_to_agent(own_gateway: OwnGateway) -> None:
    one, two, subject = own_gateway.new_inbox(), own_gateway.new_inbox(), name("Agents")
    with hooked(own_gateway, "message.received", "message.sent", "message.delivered") as (endpoint, secret):
        sent = own_gateway.post(
            f"/inboxes/{one['inbox_id']}/messages/send",
            {"to": two["email_address"], "subject": subject, "text": "hi"},
        )
        (got,) = until(lambda: own_gateway.messages(two["inbox_id"]), why="the mail at the other agent")
        assert got["subject"] == subject
        back = own_gateway.post(
            f"/inboxes/{two['inbox_id']}/messages/{got['message_id']}/reply", {"text": "hi too"}
        )
        assert back["thread_id"] == got["thread_id"]
        until(lambda: len(own_gateway.messages(one["inbox_id"])) == 2, why="the reply at the first agent")
        assert len(own_gateway.get(f"/threads/{sent['thread_id']}")["messages"]) == 2
        endpoint.wait("message.received", 2)
        endpoint.wait("message.sent", 2)
        for post in endpoint.posts:
            verified(post, secret)
        for box in (one, two):
            with_copies = own_gateway.messages(box["inbox_id"])
            assert len(with_copies) == len({row["message_id"] for row in with_copies}) == 2


def test_a_burst_arrives_once(own_gateway: OwnGateway) -> None:
    inboxes = [own_gateway.new_inbox()["email_address"] for _ in range(5)]
    accepted: list[str] = []
    failures: list[BaseException] = []

    def connection(number: int) -> None:
        try:
            with smtplib.SMTP(
                "127.0.0.1", own_gateway.smtp_port, local_hostname="abroad.test", timeout=60
            ) as smtp:
                for index in range(50):
                    to = inboxes[(number + index) % 5]
                    mail = new_mail(to, f"burst {number}-{index}", message_id=f"<{uuid.uuid4()}@abroad.test>")
                    smtp.sendmail("ann@abroad.test", [to], mail.as_bytes())
                    accepted.append(str(mail["Message-ID"]))
        except BaseException as error:  # pytest does not see a thread's own
            failures.append(error)

    with hooked(own_gateway, "message.received") as (endpoint, _):
        threads = [threading.Thread(target=connection, args=(number,)) for number in range(10)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(120)
        assert not failures
        assert len(accepted) == 500
        posts = endpoint.wait("message.received", 500, timeout=60)
        seen = [row for address in inboxes for row in own_gateway.messages(address)]
    assert Counter(row["subject"] for row in seen).most_common(1)[0][1] == 1
    assert len(seen) == 500
    assert {row["message_id"] for row in seen} == {post.json["message"]["message_id"] for post in posts}
    assert len({post.id for post in posts}) == 500


def test_refused_abroad_bounces(own_gateway: OwnGateway) -> None:
    inbox = own_gateway.new_inbox()
    gone, fine = f"{name('gone')}@abroad.test", f"{name('fine')}@abroad.test"
    own_gateway.foreign.refuse[gone] = "550 5.1.1 no such person"
    with hooked(own_gateway, "message.sent", "message.bounced", inbox=inbox["inbox_id"]) as (
        endpoint,
        secret,
    ):
        sent = own_gateway.post(
            f"/inboxes/{inbox['inbox_id']}/messages/send", {"to": [gone, fine], "subject": "s", "text": "t"}
        )
        (post,) = endpoint.wait("message.bounced", timeout=40)
        bounce = verified(post, secret)["bounce"]
        assert bounce["message_id"] == sent["message_id"]
        assert bounce["recipients"] == [{"address": gone, "status": "5.1.1"}]
        assert bounce["type"] == "Permanent"
        own_gateway.foreign.wait(fine)


def test_reports_from_abroad(own_gateway: OwnGateway) -> None:
    inbox = own_gateway.new_inbox()
    box = inbox["inbox_id"]
    with hooked(
        own_gateway, "message.sent", "message.delivered", "message.bounced", "message.complained", inbox=box
    ) as (endpoint, secret):
        made: dict[str, tuple[dict[str, Any], str]] = {}
        for kind in ("late", "read", "spam"):
            to = f"{name(kind)}@abroad.test"
            sent = own_gateway.post(f"/inboxes/{box}/messages/send", {"to": to, "subject": kind, "text": "t"})
            (mail,) = own_gateway.foreign.wait(to)
            assert mail.mail_from, "a return path that names the message"
            made[kind] = sent, to
            original = email.message_from_bytes(mail.data)
            if kind == "spam":
                report = feedback_report(original, to)
            else:
                report = delivery_report(original, to, "failed" if kind == "late" else "delivered")
            deliver(
                own_gateway.smtp_port,
                report,
                mail.mail_from,
                sender="" if kind != "spam" else "fbl@abroad.test",
            )
        bounced = verified(endpoint.wait("message.bounced")[0], secret)["bounce"]
        assert bounced["message_id"] == made["late"][0]["message_id"]
        assert bounced["recipients"] == [{"address": made["late"][1], "status": "5.2.1"}]
        delivered = until(
            lambda: [
                one.json["delivery"]
                for one in endpoint.of("message.delivered")
                if one.json["delivery"]["message_id"] == made["read"][0]["message_id"]
            ],
            why="message.delivered from the report",
        )
        assert delivered[0]["recipients"] == [made["read"][1]]
        complaint = verified(endpoint.wait("message.complained")[0], secret)["complaint"]
        assert complaint["message_id"] == made["spam"][0]["message_id"]
        assert complaint["recipients"] == [made["spam"][1]]


def test_a_person_writes_and_the_api_shows_it(own_gateway: OwnGateway) -> None:
    inbox, subject = own_gateway.new_inbox(), name("Person")
    address, to = inbox["email_address"], f"{name('p')}@abroad.test"
    access = own_gateway.post(f"/inboxes/{address}/credentials")
    mail = new_mail(to, subject, sender=address)
    with smtplib.SMTP("127.0.0.1", access["smtp"]["port"], timeout=30) as smtp:
        smtp.login(address, access["password"])
        smtp.sendmail(address, [to], mail.as_bytes())
    own_gateway.foreign.wait(to)
    with person("127.0.0.1", access["imap"]["port"], address, access["password"]) as client:
        client.append("Sent", "(\\Seen)", None, mail.as_bytes())  # as mail clients do
    rows = until(lambda: own_gateway.messages(address), why="the person's mail in the API")
    assert [(row["subject"], row["direction"]) for row in rows] == [(subject, "outbound")]


def test_deleting_an_inbox_refuses_its_mail(own_gateway: OwnGateway) -> None:
    inbox = own_gateway.new_inbox()
    address = inbox["email_address"]
    deliver(own_gateway.smtp_port, new_mail(address, "to be gone: zebra-unique-marker"), address)
    until(lambda: own_gateway.messages(address), why="the mail")
    own_gateway.organization.call("DELETE", f"/inboxes/{address}")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        deliver(own_gateway.smtp_port, new_mail(address), address)
    left = [
        path
        for path in own_gateway.data.rglob("*")
        if path.is_file() and "mail" in path.parts and b"zebra-unique-marker" in path.read_bytes()
    ]
    assert left == []


def test_the_simulator_answers_by_each_mail_server(own_gateway: OwnGateway) -> None:
    inbox = own_gateway.new_inbox()["inbox_id"]
    people = [f"{one}@simulator.invalid" for one in ("complaint", "dsn-late", "bounce", "reply", "forged")]
    body = {"to": [*people, own_gateway.inbox["address"]], "subject": name("Test"), "text": "Test"}
    with hooked(own_gateway, "message.delivered", "message.bounced", "message.complained", inbox=inbox) as (
        endpoint,
        _,
    ):
        own_gateway.post(f"/inboxes/{inbox}/messages/send", body)
        # five are delivered at once or by the mail server's report, two bounce, one complains
        until(lambda: len(endpoint.posts) >= 8)
        kinds = Counter(post.type for post in endpoint.posts)
    assert kinds == {"message.delivered": 5, "message.bounced": 2, "message.complained": 1}

    def came() -> dict[str, dict[str, Any]]:
        found = own_gateway.messages(inbox, labels="received", include_unauthenticated=True)
        return {one["subject"].partition(":")[0]: one["trust"] for one in found}

    until(lambda: len(came()) == 2)
    assert came()["Re"]["identity"] == "simulator.invalid"
    assert {subject: trust["verdict"] for subject, trust in came().items()} == {
        "Re": "authenticated",
        "New bank account": "failed",
    }
