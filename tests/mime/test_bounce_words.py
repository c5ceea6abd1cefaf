"""Bounces in words: who did not get the mail, whether it is final, and why."""

from __future__ import annotations

import pytest

from gateway.mime.bounce_reasons import status_of
from gateway.mime.parse import parse
from gateway.mime.reports import report
from gateway.mime.types import Report
from gateway.mime.workers.parser_pool import ParserPool
from gateway.store.suppressions import is_hard_bounce, is_permanent

TO = "ann@far.test"
READ = "Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action; displayed\r\n"
HEAD = "From: Mail System <MAILER-DAEMON@far.test>\r\nTo: agent+b-{t}@x.test\r\nSubject: {s}\r\n"
OURS = f"Return-Path: <>\r\nDelivered-To: agent+b-{'a' * 16}@x.test\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def read(body: str, subject: str = "failure notice", more: str = "", head: str = HEAD) -> Report | None:
    raw = (
        head.format(t="a" * 16, s=subject) + more + ("" if body.startswith("Content-Type") else "\r\n") + body
    )
    return report(raw.replace("\r\n", "\n").replace("\n", "\r\n").encode())


def parts(*bodies: str) -> str:
    return (
        "Content-Type: multipart/report; boundary=q\r\n\r\n"
        + "".join(f"--q\r\n{one}\r\n" for one in bodies)
        + "--q--"
    )


COPY = "Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m@x.test>\r\nTo: ann@far.test\r\n"
SAID = [
    (
        "Hi. I could not hand your message on.\n\n<ann@far.test>:\n192.0.2.7 has no such user here.\n",
        "failed",
        "5.1.1",
    ),
    (
        "It could not be delivered:\n\n  ann@far.test\n    host mx.far.test: 550 Unknown user\n",
        "failed",
        "5.1.1",
    ),
    ("Delivery failed.\n\n<ann@far.test>: 552 5.2.2 over quota\n", "failed", "5.2.2"),
    ("could not be delivered to ann@far.test: the mailbox is full\n", "failed", "5.2.2"),
    ("<ann@far.test>:\n550 5.7.1 blocked by policy, see http://x.test/5.1.1.9\n", "failed", "5.7.1"),
    ("ann@far.test\nmessage too large\n", "failed", "5.3.4"),
    ("<ann@far.test>: Host or domain name not found\n", "failed", "5.1.2"),
    ("<ann@far.test>: connection timed out, giving up after 5 days\n", "failed", "4.4.7"),
    (
        "It was not delivered yet to\n  ann@far.test\nIt will be retried for 3 days. No action is required.\n",
        "delayed",
        "4.4.7",
    ),
    (
        parts(
            "Content-Type: text/html\r\n\r\n<p>ann@far.test was not found at far.test. 550 5.1.10</p>", COPY
        ),
        "failed",
        "5.1.10",
    ),
    (
        parts(
            "\r\nIt failed.",
            "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nAction: failed\r\nStatus: 5.1.1",
            COPY,
        ),
        "failed",
        "5.1.1",
    ),
]


@pytest.mark.parametrize(("body", "action", "status"), SAID)
def test_what_servers_say(body: str, action: str, status: str) -> None:
    found = read(body)
    assert found is not None
    assert found.words
    [one] = found.recipients
    assert (one.address, one.action, one.status) == (TO, action, status)


def test_a_status_that_is_final_is_no_delay() -> None:
    status = "Final-Recipient: rfc822; ann@far.test\r\nAction: delayed\r\nStatus: 5.4.7"
    found = read(
        parts(f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n{status}", COPY)
    )
    assert found is not None
    assert not found.words
    assert [(one.action, one.status) for one in found.recipients] == [("failed", "5.4.7")]


def test_the_mail_that_came_back_is_named_and_not_taken_for_the_notice() -> None:
    body = (
        "Delivery failed:\n<ann@far.test>: no such user\n\n--- Below this line is a copy of the message.\n\n"
        "Message-ID: <m@x.test>\nTo: ann@far.test, eve@far.test\n\n<eve@far.test>: mailbox full\n"
    )
    found = read(body)
    assert found is not None
    assert found.original_message_id == "<m@x.test>"
    assert [(one.address, one.status) for one in found.recipients] == [(TO, "5.1.1")]


def test_each_of_several_has_its_own_reason() -> None:
    found = read(
        "Delivery failed.\n<ann@far.test>:\nno such user\n\n<ben@far.test>:\nThis account is over quota.\n"
    )
    assert found is not None
    assert {one.address: one.status for one in found.recipients} == {TO: "5.1.1", "ben@far.test": "5.2.2"}


@pytest.mark.parametrize(
    ("subject", "more", "body"),
    [
        ("Out of office", "Auto-Submitted: auto-replied\r\n", "I am away until Monday."),
        ("Automatic reply: hello", "", "Thank you for your mail."),
        ("Re: hello", "Auto-Submitted: auto-replied\r\n", "Danke, ich lese es morgen."),
    ],
)
def test_an_answer_from_a_machine_is_no_bounce(subject: str, more: str, body: str) -> None:
    head = "From: Ann <ann@far.test>\r\nTo: agent@x.test\r\nSubject: {s}\r\n" + OURS
    assert read(body, subject, more, head) is None


def test_a_notice_that_it_was_read_is_no_bounce() -> None:
    body = parts("\r\nYour mail was read.", READ)
    assert read(body, "Read: hello", OURS) is None


def test_words_that_nobody_knows_count_at_a_return_path_only() -> None:
    head = "From: Post <robot@far.test>\r\nTo: agent@x.test\r\nSubject: {s}\r\n"
    body = "Viesti jäi matkalle."
    assert read(body, "Ilmoitus", head=head) is None
    found = read(body, "Ilmoitus", OURS, head)
    assert found is not None
    assert [(one.address, one.action, one.status) for one in found.recipients] == [("", "failed", "5.0.0")]
    assert read(body, "Ilmoitus", OURS.replace("<>", "<a@b.test>"), head) is None


@pytest.mark.parametrize(
    ("status", "dead", "lasting"),
    [
        ("5.1.1", True, True),
        ("5.1.10", True, True),
        ("5.2.1", True, True),
        ("5.1.2", False, True),
        ("5.0.0", False, True),
        ("5.2.2", False, False),
        ("5.7.1", False, False),
        ("5.4.4", False, False),
        ("5.4.7", False, False),
        ("5.3.4", False, False),
        ("5.6.0", False, False),
        ("4.1.1", False, False),
        ("4.4.7", False, False),
    ],
)
def test_hard_and_soft_by_the_codes(status: str, dead: bool, lasting: bool) -> None:
    assert is_hard_bounce(status) is dead
    assert is_permanent(status) is lasting


@pytest.mark.parametrize(
    ("text", "given", "status"),
    [
        ("550 5.1.1 user unknown", "5.0.0", "5.1.1"),
        ("User unknown", "5.0.0", "5.1.1"),
        ("User unknown", "5.7.1", "5.7.1"),
        ("mailbox full", "4.0.0", "4.2.2"),
        ("whatever", "5.0.0", "5.0.0"),
        ("from 10.5.1.1 and 5.1.1.7", "", ""),
        ("sender rejected: listed at x", "5.1.0", "5.7.1"),
        ("remote said: 552 no", "", "5.2.2"),
        ("553 no", "", "5.1.3"),
    ],
)
def test_a_code_that_says_nothing_is_read_with_its_words(text: str, given: str, status: str) -> None:
    assert status_of(text, given) == status


HOSTILE = [
    "a",
    "a@",
    "a@b.c ",
    ".a",
    "b.",
    "user ",
    "user <",
    "recipient a b c d ",
    "user unknown\n",
    "5.1.1.",
    "5",
    "550 ",
    "exceeds a b c ",
    "host a ",
    "not connected a b c ",
    "mailbox a ",
    " ",
    "-",
    "-" * 40 + "\n",
    "rcpt to <",
    "domain x ",
    'account "x ',
    "was not a b ",
    "to: <<<",
    "_",
    "X-aaaa",
    "<p>",
    "u@h.test\n",
    "could not a b ",
    "<a@b.test>:\n",
]


@pytest.mark.anyio
async def test_hostile_words_take_no_time() -> None:
    """In the process that reads mail: none of them is taken aside for its time."""
    raws = []
    for kind in ("plain", "html"):
        for one in HOSTILE:
            for joint in ("", "\n"):
                text = joint.join([one * (590 // len(one))] * 200)
                head = f"{OURS}From: MAILER-DAEMON@a\r\nSubject: failure\r\nContent-Type: text/{kind}\r\n\r\n"
                raws.append((head + text).encode())
    async with ParserPool(1, deadline=2.0, patience=1.0) as pool:
        assert {defect for one in await pool.parse_many(raws) for defect in one.defects} == set()


def test_ordinary_mail_is_no_report() -> None:
    for subject in ("Re: delivery of the desk", "Lunch?", "Undeliverable goods"):
        raw = f"From: Ann <ann@far.test>\r\nTo: agent@x.test\r\nSubject: {subject}\r\n\r\nIt comes on Monday.\r\n"
        assert parse(raw.encode()).report is None
