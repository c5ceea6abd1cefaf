"""People's own filters: put there over ManageSieve, run at delivery, gone with the mailbox."""

from __future__ import annotations

import base64
import imaplib
import smtplib
import socket
import time
from collections.abc import Iterator
from typing import cast

import pytest

from mailserver.base import Envelope
from tests.mailserver.started import ALICE, BOB, Started, started
from tests.support.ports import keep_port

pytestmark = pytest.mark.root

SCRIPT = """require ["fileinto", "mailbox", "vacation", "envelope", "subaddress"];
if envelope :detail "to" "shop" {
  fileinto :create "Shop";
} elsif header :contains "subject" "invoice" {
  fileinto :create "Invoices";
} elsif header :contains "subject" "pass on" {
  redirect "bob@x.test";
} else {
  vacation :days 1 :addresses ["alice@x.test"] :subject "away" "I am away.";
}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Started]:
    with started(hostname="mail.x.test", sieve_port=keep_port()) as running:
        upload(running.server.settings.sieve_port, ALICE, SCRIPT)
        yield running


def upload(port: int, login: str, script: str) -> None:
    """Put and activate a script (RFC 5804)."""
    with socket.create_connection(("127.0.0.1", port), 20) as raw, raw.makefile("rb") as lines:

        def answer() -> None:
            for line in lines:
                if line.startswith(b"OK"):
                    return
                assert not line.startswith((b"NO", b"BYE")), line
            raise AssertionError("the server hung up")

        answer()
        plain = base64.b64encode(f"\0{login}\0secret".encode()).decode()
        body = script.encode()
        for command in (
            f'AUTHENTICATE "PLAIN" "{plain}"\r\n'.encode(),
            b'PUTSCRIPT "mine" {%d+}\r\n%s\r\n' % (len(body), body),
            b'SETACTIVE "mine"\r\n',
        ):
            raw.sendall(command)
            answer()


def send(running: Started, subject: str, sender: str = BOB, to: str = ALICE) -> None:
    with smtplib.SMTP(running.smtp.host, running.smtp.port, "far.test", timeout=20) as client:
        head = f"From: {sender}\r\nTo: {to}\r\nMessage-ID: <{time.time_ns()}@x.test>\r\nSubject: {subject}"
        assert client.sendmail(sender, to, f"{head}\r\n\r\nx\r\n") == {}


def wait_for(running: Started, address: str, folder: str, subject: str) -> bytes:
    """The header of the mail with this subject."""
    with imaplib.IMAP4(running.imap.host, running.imap.port) as imap:
        imap.login(address, "secret")
        for _ in range(400):
            if imap.select(folder, readonly=True)[0] == "OK":
                (found,) = imap.search(None, "SUBJECT", f'"{subject}"')[1]
                if found:
                    (_, head), *_ = imap.fetch(found.split()[0], "BODY.PEEK[HEADER]")[1]
                    return bytes(cast(bytes, head))
            time.sleep(0.05)
    logs = running.log("dovecot")[-1500:] + running.log("postfix")[-1500:]
    raise AssertionError(f"{subject!r} did not come to {folder} of {address}: {logs}")


def test_mail_is_filed_as_its_person_wants(running: Started) -> None:
    send(running, "invoice 1")
    wait_for(running, ALICE, "Invoices", "invoice 1")


def test_mail_is_filed_by_its_tag(running: Started) -> None:
    send(running, "from a shop", to=ALICE.replace("@", "+shop@"))
    wait_for(running, ALICE, "Shop", "from a shop")


def test_a_vacation_answers_and_a_redirect_passes_on(running: Started) -> None:
    send(running, "hello")
    away = wait_for(running, BOB, "INBOX", "away")
    assert b"Auto-Submitted: auto-replied" in away
    send(running, "pass on this")
    passed = wait_for(running, BOB, "INBOX", "pass on this")
    assert b"\r\nReturn-Path: <alice@x.test>" in b"\r\n" + passed  # bounces come to who passed it on


def test_the_copy_in_sent_is_no_incoming_mail(running: Started) -> None:
    server = running.server
    copy = Envelope(
        ALICE, (server.sent_address(ALICE),), b"From: alice@x.test\r\nSubject: invoice sent\r\n\r\nx\r\n"
    )
    for hop in server.plan(copy.recipients):
        assert all(one.ok for one in running.call(server.transmit, hop, copy).values())
    wait_for(running, ALICE, "Sent", "invoice sent")


def test_filters_go_with_the_mailbox(running: Started) -> None:
    port = running.server.settings.sieve_port
    running.call(running.server.add_mailbox, "carol@x.test", "secret")
    upload(port, "carol@x.test", SCRIPT)
    mail = running.data / "mail"
    assert list(mail.glob("carol*/sieve/*.sieve"))
    running.call(running.server.remove_mailbox, "carol@x.test")
    assert not list(mail.glob("carol*"))
