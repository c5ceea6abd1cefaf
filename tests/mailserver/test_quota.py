"""Quotas: refused at RCPT, shown to IMAP, never in the way of the copy in Sent."""

from __future__ import annotations

import imaplib
import re
import smtplib
import time
from collections.abc import Iterator

import pytest

from mailserver.base import Envelope
from tests.mailserver.started import ALICE, BOB, Started, started

SIZE = 300_000


@pytest.fixture(scope="module", params=["embedded", pytest.param("postfix", marks=pytest.mark.root)])
def running(request: pytest.FixtureRequest) -> Iterator[Started]:
    with started(request.param, quota=SIZE) as running:
        yield running


def send(running: Started, recipient: str, size: int) -> tuple[int, bytes]:
    """The last answer to a mail of about ``size`` octets: to RCPT or to its data."""
    with smtplib.SMTP(running.smtp.host, running.smtp.port, "far.test", timeout=30) as client:
        client.ehlo()
        client.mail("eve@far.test", [f"size={size}"])  # as servers do: nobody has to send it all in vain
        code, words = client.rcpt(recipient)
        if code != 250:
            return code, words
        return client.data(
            b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" * 1 + (b"y" * 70 + b"\r\n") * (size // 72)
        )


def person(running: Started, address: str) -> imaplib.IMAP4:
    client = imaplib.IMAP4(running.imap.host, running.imap.port)
    client.login(address, "secret")
    return client


def test_a_full_mailbox_refuses_while_the_sender_waits(running: Started) -> None:
    for _ in range(20):
        code, words = send(running, ALICE, 100_000)
        if code != 250:
            break
        count_until(running, ALICE)
    assert code == 552, words
    assert b"5.2.2" in words
    with person(running, ALICE) as imap:
        usage = imap.getquotaroot("INBOX")[1][1][0]
        assert b"STORAGE" in usage, usage
        used, limit = map(int, usage.split(b"STORAGE ")[1].rstrip(b")").split())
        assert limit == -(-SIZE // 1024)
        assert 0 < used <= limit * 1.2
        imap.select("INBOX")
        status, answer = imap.append("Drafts", "", "", b"Subject: x\r\n\r\n" + b"y" * SIZE)
        assert (status, answer[0][:11]) == ("NO", b"[OVERQUOTA]")
    assert send(running, BOB, 1000)[0] == 250  # of no concern to others
    server = running.server
    sent = server.sent_address(ALICE)
    copy = Envelope(ALICE, (BOB, sent), b"From: alice@x.test\r\nSubject: s\r\n\r\n" + b"z" * 50_000 + b"\r\n")
    for hop in server.plan(copy.recipients):
        replies = running.call(server.transmit, hop, copy)
        assert all(one.ok for one in replies.values()), replies
    assert count_until(running, ALICE, "Sent") == 1


def test_a_mailbox_may_have_a_quota_of_its_own(running: Started) -> None:
    for address, octets in {"small@x.test": 20_480, "any@x.test": 0}.items():
        running.call(running.server.add_mailbox, address, "secret")
        running.call(running.server.set_quota, address, octets)
    assert limit_of(running, "small@x.test") == 20
    assert limit_of(running, "any@x.test") is None
    code, words = send(running, "small@x.test", 50_000)
    assert (code, words[:5]) == (552, b"5.2.2")
    assert send(running, "small@x.test", 5_000)[0] == 250
    assert send(running, "any@x.test", SIZE + 50_000)[0] == 250
    # what changes holds from the next delivery on
    running.call(running.server.set_quota, "small@x.test", None)
    assert limit_of(running, "small@x.test") == -(-SIZE // 1024)
    assert send(running, "small@x.test", 50_000)[0] == 250


def limit_of(running: Started, address: str) -> int | None:
    """The quota IMAP shows, in KiB (RFC 9208), or None without one."""
    with person(running, address) as imap:
        shown = re.search(rb"STORAGE \d+ (\d+)", imap.getquotaroot("INBOX")[1][1][0] or b"")
    return int(shown[1]) if shown else None


def test_a_quota_of_its_own_holds_from_the_next_look_on(running: Started) -> None:
    server, everything = running.server, (["x.test"], [ALICE, BOB], {})

    def limit() -> int | None:
        """Of Bob's mailbox, in kibibytes, as a new session sees it."""
        with person(running, BOB) as imap:
            answer = imap.getquotaroot("INBOX")[1][1][0] or b""
        return int(answer.split(b"STORAGE ")[1].rstrip(b")").split()[1]) if b"STORAGE" in answer else None

    assert limit() == -(-SIZE // 1024)
    running.call(server.set_quota, BOB, 2 << 20)
    assert limit() == 2048
    code, words = send(running, BOB, 1_000_000)
    assert code == 250, words  # more than the default allows
    running.call(server.set_quota, BOB, 0)
    assert limit() is None
    assert send(running, BOB, 2_000_000)[0] == 250
    running.call(server.set_quota, "nobody@x.test", 1 << 20)
    running.call(server.reconcile, *everything, {BOB: 4 << 20})
    assert limit() == 4096
    running.call(server.reconcile, *everything)
    assert limit() == -(-SIZE // 1024)
    count_until(running, BOB)
    assert send(running, BOB, 1000)[0] == 552


_seen: dict[tuple[str, str, str], int] = {}


def count_until(running: Started, address: str, folder: str = "INBOX") -> int:
    """Wait until the folder holds one message more than at the last call; answers how many."""
    key = (running.server.name, address, folder)
    with person(running, address) as imap:
        for _ in range(400):
            count = int(imap.select(folder, readonly=True)[1][0] or 0)
            if count > _seen.get(key, 0):
                _seen[key] = count
                return count
            time.sleep(0.05)
    raise AssertionError(f"nothing came to {folder}")
