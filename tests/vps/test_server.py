"""A bare server becomes a mail server by `postern setup`, and exchanges mail with a stock Postfix of the internet."""

from __future__ import annotations

import imaplib
import smtplib
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from tests.support.waiting import until
from tests.support.webhook_endpoint import verified, webhook_endpoint
from tests.vps.conftest import ADDRESS, DOMAIN, HOSTNAME, SETUP, Server

AGENT = f"agent@{DOMAIN}"


def letter(sender: str, to: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message.set_content(f"{subject}, said in more words.\n")
    return message


def listed(server: Server, subject: str) -> list[dict[str, Any]]:
    found = server.api("GET", f"inboxes/{AGENT}/messages", params={"limit": 100})["messages"]
    return [one for one in found if one["subject"] == subject]


def raw_of(server: Server, message_id: str) -> str:
    def call() -> str:
        with server.client() as client:
            answer = client.get(f"inboxes/{AGENT}/messages/{message_id}/raw", follow_redirects=True)
            if answer.headers["content-type"].startswith("application/json"):
                answer = client.get(answer.json()["download_url"])
            return answer.text

    return server.here(call)


def seen_by(server: Server, person: str, subject: str) -> EmailMessage:
    """The mail as it lies in a person's mailbox in the internet."""
    [found] = until(
        lambda: [one for one in server.internet.mail_of(person) if one["Subject"] == subject],
        60,
        f"{subject!r} for {person}: {server.host.journal('postern-postfix')}",
    )
    return found


def test_setup_again_changes_nothing(server: Server) -> None:
    before = server.host.run("systemctl", "show", "-P", "MainPID", "postern.service").stdout
    again = server.host.run(*[one for one in SETUP if one != "--json"], timeout=300)
    assert "unchanged" in again.stdout
    assert server.host.run("systemctl", "show", "-P", "MainPID", "postern.service").stdout == before


def test_mail_from_the_world_is_checked_and_shown(server: Server) -> None:
    server.internet.send(
        letter("alice@world.example", AGENT, "in from foreign"), "alice@world.example", AGENT
    )
    [message] = until(lambda: listed(server, "in from foreign"), 60, server.host.journal())
    text = raw_of(server, message["message_id"])
    head = text.split("\n\n")[0].split("\r\n\r\n")[0]
    results = [
        line
        for line in head.replace("\r\n\t", " ").replace("\r\n ", " ").splitlines()
        if "Authentication-R" in line
    ]
    ours = [one for one in results if HOSTNAME in one.split(";")[0]]
    assert ours, head
    for verdict in ("spf=pass", "dkim=pass", "dmarc=pass"):
        assert any(verdict in one for one in ours), (verdict, results)


def test_mail_to_the_world_passes_its_checks(server: Server) -> None:
    server.api(
        "POST",
        f"inboxes/{AGENT}/messages/send",
        json={"to": ["alice@world.example"], "subject": "out from here", "text": "Hello."},
    )
    found = seen_by(server, "alice", "out from here")
    results = " ".join(str(one) for one in found.get_all("Authentication-Results", []))
    assert "dkim=pass" in results, results
    assert f"dmarc=pass (p=none dis=none) header.from={DOMAIN}" in results, results
    assert "TLS" not in str(found.get_all("Received-SPF", []))


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("stranger", "5.1.1"),  # refused while we speak to it
        (
            "nobody",
            "5.2.0",
        ),  # a user of its system without a home: taken, then told by a report that comes back
    ],
)
def test_a_bounce_is_an_event(server: Server, person: str, status: str) -> None:
    with_place = server.here(lambda: webhook_endpoint())
    endpoint = server.here(with_place.__enter__)
    try:
        hook = server.api(
            "POST",
            "webhooks",
            json={"url": endpoint.url, "event_types": ["message.bounced"]},
        )
        server.api(
            "POST",
            f"inboxes/{AGENT}/messages/send",
            json={"to": [f"{person}@world.example"], "subject": "to nobody", "text": "Is there anybody?"},
        )
        [post] = endpoint.wait("message.bounced", timeout=60)
        bounce = verified(post, hook["secret"])["bounce"]
        assert [(one["address"], one["status"]) for one in bounce["recipients"]] == [
            (f"{person}@world.example", status)
        ]
    finally:
        server.here(with_place.__exit__, None, None, None)


@pytest.fixture(scope="module")
def password(server: Server) -> str:
    return str(server.postern("inbox", "password", AGENT)["password"])


def test_a_person_reads_and_sends_with_a_mail_client(server: Server, password: str) -> None:
    def read() -> list[bytes]:
        context = server.tls
        context.check_hostname = False  # the client is given an address; the chain is checked all the same
        with imaplib.IMAP4_SSL(ADDRESS, 993, ssl_context=context, timeout=30) as client:
            client.login(AGENT, password)
            client.select("INBOX")
            _, found = client.search(None, "ALL")
            return list(found[0].split())

    def send(port: int, subject: str) -> None:
        context = server.tls
        context.check_hostname = False
        if port == 465:
            client: smtplib.SMTP = smtplib.SMTP_SSL(ADDRESS, port, timeout=30, context=context)
        else:
            client = smtplib.SMTP(ADDRESS, port, timeout=30)
            client.starttls(context=context)
        with client:
            client.login(AGENT, password)
            client.send_message(letter(AGENT, "bob@world.example", subject))

    server.internet.send(letter("bob@world.example", AGENT, "to a person"), "bob@world.example", AGENT)
    until(lambda: listed(server, "to a person"), 60)
    assert server.foreign(read)
    for port in (465, 587):
        server.foreign(send, port, f"from a person by {port}")
        found = seen_by(server, "bob", f"from a person by {port}")
        results = " ".join(str(one) for one in found.get_all("Authentication-Results", []))
        assert "dkim=pass" in results, results
        assert "dmarc=pass" in results, results


def test_a_persons_filter_answers_the_world(server: Server) -> None:
    server.postern("inbox", "create", "away", "--domain", DOMAIN)
    [home] = server.host.run(
        "find", "/var/lib/postern/mail", "-maxdepth", "3", "-type", "d", "-name", "away*"
    ).stdout.split()
    script = server.host.path(f"{home}/.dovecot.sieve")
    script.write_text('require "vacation";\nvacation :subject "I am away" "Back on Monday.";\n')
    server.host.run("chown", "postern:postern", f"{home}/.dovecot.sieve")
    away = f"away@{DOMAIN}"
    server.internet.send(letter("alice@world.example", away, "are you there?"), "alice@world.example", away)
    seen_by(server, "alice", "I am away")


def test_mail_flows_while_the_gateway_is_down(server: Server) -> None:
    server.host.run("systemctl", "stop", "postern.service", "postern.socket")
    try:
        server.internet.send(
            letter("alice@world.example", AGENT, "while it slept"), "alice@world.example", AGENT
        )
        until(
            lambda: not server.internet.host.run("postqueue", "-j").stdout.strip(),
            60,
            "mail still waits in the internet's queue",
        )
    finally:
        server.host.run("systemctl", "start", "postern.socket", "postern.service")
    assert len(until(lambda: listed(server, "while it slept"), 60)) == 1


def test_nobody_relays_through_it(server: Server) -> None:
    def try_relay() -> int:
        with smtplib.SMTP(ADDRESS, 25, timeout=30) as client:
            client.ehlo("mx.world.example")
            client.mail("alice@world.example")
            return client.rcpt("bob@elsewhere.example")[0]

    assert server.foreign(try_relay) >= 450


def test_every_unit_is_well(server: Server) -> None:
    failed = server.host.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
    assert "postern" not in failed, failed
    for unit in ("postern", "postern-dovecot", "postern-postfix", "postern-milter"):
        assert server.host.run("systemctl", "is-active", f"{unit}.service").stdout.strip() == "active"
        assert (
            server.host.run("systemctl", "show", "-P", "NRestarts", f"{unit}.service").stdout.strip() == "0"
        )


def test_doctor_finds_nothing_broken(server: Server) -> None:
    done = server.host.run("postern", "doctor", check=False, timeout=180)
    assert "FAIL" not in done.stdout, done.stdout
    assert done.returncode in (0, 1), done.stdout + done.stderr


def test_the_doctors_unit_sees_what_the_administrator_sees(server: Server) -> None:
    # it exits with what it found: 0 or, for warnings, 1
    server.host.run("systemctl", "start", "postern-doctor.service", timeout=300)
    server.host.run("journalctl", "--sync", check=False)
    told = server.host.run("journalctl", "-q", "--no-pager", "-o", "cat", "-u", "postern-doctor").stdout
    by_hand = server.host.run("postern", "doctor", check=False, timeout=180).stdout

    def levels(text: str) -> set[tuple[str, ...]]:
        words = (line.split(":")[0].split() for line in text.splitlines())
        return {tuple(one) for one in words if one and one[0] in ("OK", "WARN", "FAIL")}

    assert ("OK", "postfix", "postfix", "queue") in levels(told), told
    assert ("OK", "postmaster", f"postmaster@{DOMAIN}") in levels(told), told
    assert levels(told) == levels(by_hand), (told, by_hand)


def test_the_doctors_unit_mails_what_fails_while_the_gateway_is_down(server: Server) -> None:
    gateway = ("postern.socket", "postern.service")
    address = f"postmaster@{DOMAIN}"

    def mailed() -> list[str]:
        with server.client() as client:
            page = client.get(f"inboxes/{address}/messages").json()
        return [one["subject"] for one in page["messages"] if "wrong (" in one["subject"]]

    server.host.run("systemctl", "stop", *gateway, timeout=120)
    try:
        done = server.host.run("systemctl", "start", "postern-doctor.service", check=False, timeout=300)
        assert done.returncode != 0  # a FAIL fails the unit
    finally:
        server.host.run("systemctl", "reset-failed", "postern-doctor.service", check=False)
        server.host.run("systemctl", "start", *gateway, timeout=120)
    server.host.run("journalctl", "--sync", check=False)
    told = server.host.run("journalctl", "-q", "--no-pager", "-o", "cat", "-u", "postern-doctor").stdout
    assert f"what fails was mailed to {address}" in told, told
    (subject,) = until(lambda: server.here(mailed), 60, told)
    assert subject.startswith(f"Postern on mail.{DOMAIN}: ")
    assert "gateway" in subject
    owner = server.host.run("stat", "-c", "%U %a", "/var/lib/postern/doctor.json").stdout.strip()
    assert owner == "postern 600"


def test_metrics_tell_of_the_queue_and_the_certificate(server: Server) -> None:
    def scraped() -> str:
        return httpx.get("http://127.0.0.1:8025/metrics", timeout=30, trust_env=False).text

    def found() -> str:
        text = server.here(scraped)
        return text if "postern_mail_queue_messages " in text else ""

    # looked up by the unit, in its sandbox
    text = until(found, 60, server.host.journal("postern"))
    assert "postern_mail_queue_oldest_seconds " in text
    assert "postern_certificate_expiry_seconds " in text
    for part in ("database", "dovecot", "postfix"):
        assert f'postern_part_up{{part="{part}"}} 1.0' in text, text
