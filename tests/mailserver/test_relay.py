"""A Postfix as production has it: nobody's relay, strict with strangers, fair to people."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.mailserver.started import ALICE, BOB, Started, started

pytestmark = pytest.mark.root
HOST = "mail.x.test"


@pytest.fixture(scope="module")
def running() -> Iterator[Started]:
    with started(strict=True, hostname=HOST, message_size=1_000_000) as running:
        yield running


def stranger(running: Started) -> smtplib.SMTP:
    client = smtplib.SMTP(running.smtp.host, running.smtp.port, "far.test", timeout=20)
    client.ehlo()
    return client


def person(running: Started, login: str = ALICE) -> smtplib.SMTP:
    client = smtplib.SMTP(running.submission.host, running.submission.port, "laptop.test", timeout=20)
    client.login(login, "secret")
    return client


@pytest.mark.parametrize(
    "recipient",
    [
        "<eve@far.test>",
        "<eve%far.test@x.test>",
        "<eve%far.test>",
        '<"eve@far.test"@x.test>',
        '<"eve%far.test"@x.test>',
        "<far.test!eve>",
        "<far.test!eve@x.test>",
        "<@x.test:eve@far.test>",
        "<@mail.x.test,@x.test:eve@far.test>",
        "<eve@far.test@x.test>",
        "<eve@x.test@far.test>",
        '<"eve@far.test">',
        "<eve@[203.0.113.9]>",
        "<eve@[127.0.0.1]>",
        "<alice@[127.0.0.1]>",
        "<alice@mail.x.test>",
        "<alice@localhost>",
        "<alice>",
        "<root>",
        "<eve@x.test.far.test>",
    ],
)
def test_relays_for_no_stranger(running: Started, recipient: str) -> None:
    for sender in ("<>", f"<{ALICE}>", f"<root@{HOST}>", "<eve@[127.0.0.1]>"):
        with stranger(running) as client:  # a new one each: the fourth mistake on would take a second
            if client.docmd("MAIL", f"FROM:{sender}")[0] == 250:
                code, words = client.docmd("RCPT", f"TO:{recipient}")
                assert code >= 500, (sender, recipient, words)


def test_recipients_over_the_limit_are_for_another_time(running: Started) -> None:
    with stranger(running) as client:
        client.docmd("MAIL", "FROM:<>")
        codes = [client.docmd("RCPT", f"TO:<alice+{number}@x.test>")[0] for number in range(101)]
    assert codes == [250] * 100 + [452]


def test_who_comes_too_often_is_told_to_come_later() -> None:
    with started(strict=True, hostname=HOST) as running:
        postfix = str(running.data / "postfix")
        # loopback is let off: here it stands for the world
        lines = ["smtpd_client_event_limit_exceptions=", "smtpd_client_connection_rate_limit=3"]
        subprocess.run(["postconf", "-c", postfix, "-e", *lines], check=True)
        subprocess.run(["postfix", "-c", postfix, "reload"], check=True, capture_output=True)
        codes = []
        while (
            421 not in codes and len(codes) < 40
        ):  # the last process that began before the change may answer once
            with smtplib.SMTP(timeout=20) as client:
                codes.append(client.connect(running.smtp.host, running.smtp.port)[0])
        assert codes[:3] == [220] * 3
        assert codes[-1] == 421
        health = running.call(running.server.health)
        assert all(part.ok for part in health.values()), health  # the gateway's own door has no limit


def test_says_who_it_is_to_no_one(running: Started) -> None:
    client = stranger(running)
    assert client.esmtp_features.keys() >= {"size", "dsn", "8bitmime"}
    # Dovecot's LMTP has no SMTPUTF8: mail that was taken with it would only go back
    assert not client.esmtp_features.keys() & {"auth", "etrn", "vrfy", "expn", "smtputf8"}
    assert client.esmtp_features["size"] == "1000000"
    assert client.docmd("VRFY", ALICE)[0] >= 500
    assert client.docmd("ETRN", "x.test")[0] >= 450
    assert client.docmd("MAIL", f"FROM:<> SIZE={10**8}")[0] == 552
    client.quit()


@pytest.mark.parametrize("name", [HOST, "-bad-.test", "a b"])
def test_refuses_a_bad_or_borrowed_greeting(running: Started, name: str) -> None:
    client = smtplib.SMTP(running.smtp.host, running.smtp.port, timeout=20)
    client.docmd("EHLO", name)
    client.docmd("MAIL", "FROM:<>")
    assert client.docmd("RCPT", f"TO:<{ALICE}>")[0] >= 500
    client.close()


def test_who_talks_out_of_turn_is_thrown_out(running: Started) -> None:
    with socket.create_connection((running.smtp.host, running.smtp.port), 20) as raw:
        raw.recv(1000)
        raw.sendall(b"HELO far.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@x.test>\r\nDATA\r\n")
        heard = b""
        while more := raw.recv(1000):
            heard += more
    assert heard.startswith(b"554 5.5.0"), heard
    assert b"\r\n354" not in heard


def test_smuggled_mail_stays_in_the_mail_that_carries_it(running: Started) -> None:
    inner = b"MAIL FROM:<>\r\nRCPT TO:<alice@x.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
    client = stranger(running)
    client.docmd("MAIL", "FROM:<>")
    client.docmd("RCPT", f"TO:<{BOB}>")
    client.docmd("DATA")
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"):
        client.send(b"Subject: carrier\r\n\r\nbody" + end + inner)
    client.send(b"\r\n.\r\n")
    assert client.getreply()[0] == 250
    assert client.docmd("NOOP")[0] == 250  # one answer for one mail: nothing of it was taken for commands
    client.quit()
    imap = imaplib.IMAP4(running.imap.host, running.imap.port)
    imap.login(BOB, "secret")
    for _ in range(200):
        imap.select("INBOX")
        if imap.search(None, "SUBJECT", "carrier")[1] != [b""]:
            break
        time.sleep(0.05)
    assert imap.search(None, "SUBJECT", "carrier")[1] == [b"1"]
    imap.logout()
    imap = imaplib.IMAP4(running.imap.host, running.imap.port)
    imap.login(ALICE, "secret")
    imap.select("INBOX")
    assert imap.search(None, "SUBJECT", "smuggled")[1] == [b""]
    imap.logout()


def test_forged_results_of_authentication_do_not_arrive(running: Started) -> None:
    client = stranger(running)
    forged = (
        f"Authentication-Results: (hi) {HOST.upper()};\r\n\tdmarc=pass header.from=bank.test\r\n"
        "Authentication-Results: other.test; dkim=pass\r\nSubject: forged\r\nFrom: e@bank.test\r\n\r\nx\r\n"
    )
    client.sendmail("", BOB, forged)
    client.quit()
    found = arrived(running, BOB, "forged")
    assert b"bank.test" not in found.partition(b"\r\nSubject")[0]
    assert b"other.test; dkim=pass" in found


def test_people_submit_as_themselves_and_keep_their_whereabouts(running: Started) -> None:
    client = person(running)
    assert client.docmd("MAIL", f"FROM:<{BOB}>")[0] == 250
    assert client.docmd("RCPT", f"TO:<{BOB}>")[0] == 553  # not whose login it is
    client.docmd("RSET")
    client.docmd("MAIL", f"FROM:<{ALICE}>")
    for refused in (
        "nobody@x.test",
        "eve@nowhere.invalid",
        "eve@localhost",
        running.server.sent_address(BOB),
    ):
        code, words = client.docmd("RCPT", f"TO:<{refused}>")
        assert code in (450, 550, 504, 554), (refused, words)
        assert code != 450 or "invalid" in refused  # a resolver that cannot be reached says no more
    client.docmd("RSET")
    client.sendmail(
        ALICE, [BOB], "Subject: whereabouts\r\nX-Originating-IP: 192.0.2.7\r\nFrom: alice@x.test\r\n\r\nx\r\n"
    )
    client.quit()
    head = arrived(running, BOB, "whereabouts").partition(b"\r\n\r\n")[0]
    assert b"192.0.2.7" not in head
    assert b"laptop.test" not in head
    assert b"127.0.0.1" not in head
    assert b"Received: by mail.x.test (Postfix) with ESMTP" in head


def test_without_a_login_nothing_is_submitted(running: Started) -> None:
    with smtplib.SMTP(running.submission.host, running.submission.port, "laptop.test", timeout=20) as client:
        client.ehlo()
        for sender in (ALICE, "eve@far.test", ""):
            client.docmd("MAIL", f"FROM:<{sender}>")
            assert client.docmd("RCPT", f"TO:<{BOB}>")[0] in (553, 554)
            client.docmd("RSET")


def test_the_queue_can_be_asked(running: Started) -> None:
    state = running.call(running.server.queue)
    assert state.count == sum(state.queues.values())
    assert (state.count == 0) == (state.oldest_seconds == 0.0)


def arrived(running: Started, address: str, subject: str) -> bytes:
    """The one mail with this subject in the inbox, waited for."""
    imap = imaplib.IMAP4(running.imap.host, running.imap.port)
    imap.login(address, "secret")
    try:
        for _ in range(400):
            imap.select("INBOX", readonly=True)
            (found,) = imap.search(None, "SUBJECT", subject)[1]
            if found:
                data = imap.fetch(found, "BODY.PEEK[]")[1][0]
                assert isinstance(data, tuple)
                return data[1]
            time.sleep(0.05)
        raise AssertionError(f"{subject!r} did not arrive: {running.log('postfix')[-2000:]}")
    finally:
        imap.logout()
