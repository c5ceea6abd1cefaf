"""What kind of mail a message is, and what filters wrote about it."""

from __future__ import annotations

import pytest

from gateway.mime.automatic import is_programs_address
from gateway.mime.parse import parse
from gateway.mime.types import Traits

_REPORT = """From: {sender}
Subject: Report
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Words.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x.test

Final-Recipient: rfc822; gone@x.test
Action: {action}
Status: {status}

--b--
"""
_COMPLAINT = """From: abuse@x.test
Subject: Complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: x
Version: 1

--b--
"""


def traits(*fields: str, sender: str = "Ann <ann@x.test>") -> Traits:
    return parse("\r\n".join([f"From: {sender}", "Subject: x", *fields, "", "Hello\r\n"]).encode()).traits


@pytest.mark.parametrize(
    ("action", "status", "category"),
    [
        ("failed", "5.1.1", "bounce"),
        ("delayed", "4.4.1", "bounce"),
        ("delivered", "2.0.0", "automated"),
        ("relayed", "2.0.0", "automated"),
    ],
)
def test_a_report_is_a_bounce_if_something_went_wrong(action: str, status: str, category: str) -> None:
    for sender in ("mail@x.test", "MAILER-DAEMON@x.test"):
        raw = _REPORT.format(sender=sender, action=action, status=status).replace("\n", "\r\n")
        assert parse(raw.encode()).traits.category == category


def test_a_complaint_is_automated() -> None:
    assert parse(_COMPLAINT.replace("\n", "\r\n").encode()).traits.category == "automated"


def test_mail_of_a_mailer_daemon_is_a_bounce_unless_a_person_is_called_so() -> None:
    assert traits("Return-Path: <>", sender="Mailer-Daemon@x.test").category == "bounce"
    assert traits("Auto-Submitted: auto-replied", sender="MAILER-DAEMON@x.test").category == "bounce"
    assert traits(sender="mailer-daemon@x.test").category == "automated"


@pytest.mark.parametrize(
    ("field", "automatic"),
    [
        ("Auto-Submitted: auto-generated", True),
        ("Auto-Submitted: AUTO-REPLIED; owner-email=ann@x.test", True),
        ("Auto-Submitted: no", False),
        ("Auto-Submitted: No; because", False),
        ("Precedence: auto_reply", True),
        ("Precedence: first-class", False),
        ("Return-Path: <>", True),
        ("Return-Path: <ann@x.test>", False),
        ("X-Autoreply: yes", True),
        ("X-Autorespond: Away", True),
        ("X-Autoreply: no", False),
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply", True),
        ("X-Auto-Response-Suppress: All", True),
        ("X-Auto-Response-Suppress: DR, NDR, RN, NRN", False),
    ],
)
def test_what_says_that_a_program_wrote_it(field: str, automatic: bool) -> None:
    raw = f"From: ann@x.test\r\nSubject: x\r\n{field}\r\n\r\nHello\r\n".encode()
    assert parse(raw).auto_submitted == automatic
    assert parse(raw).traits.category == ("automated" if automatic else "personal")


def test_addresses_of_programs() -> None:
    programs = (
        "noreply no-reply No.Reply no_reply do-not-reply donotreply+x12 mailer-daemon postmaster bounces"
    )
    programs += " notifications alert alerts no-reply-accounts billing-noreply never-reply"
    people = "ann noel norbert nora reply info support no-one alerting bouncer replay renoreplyx"
    for local in programs.split():
        assert is_programs_address(f"{local}@x.test"), local
    for local in people.split():
        assert not is_programs_address(f"{local}@x.test"), local
    assert not is_programs_address("")


def test_nobody_makes_a_message_look_better_than_a_filter_found_it() -> None:
    found = traits(
        "X-Spam-Flag: NO",
        "X-Spam-Score: -100",
        "X-Virus-Status: Clean",
        "X-Spam-Status: Yes, score=8.5 required=5.0",
        "X-Virus-Status: Infected (Eicar)",
        "X-Spam-Flag: NO",
    )
    assert (found.spam_score, found.spam, found.malware) == (8.5, True, True)


@pytest.mark.parametrize(
    "value", ["", "nan", "inf", "high", "9" * 400, "1e300", "0x10", "--1", "1.2.3", "5.0five", "\x00"]
)
def test_a_score_that_is_no_number_is_none(value: str) -> None:
    assert traits(f"X-Spam-Score: {value}", f"X-Spamd-Result: default: False [{value}]").spam_score is None
