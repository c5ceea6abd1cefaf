from __future__ import annotations

import pytest

from gateway.mime.reports import report
from tests.mime.conftest import corpus


def dsn(status: str, returned: str = "Message-ID: <msg_1@h.test>\r\nSubject: x\r\n") -> bytes:
    return (
        "From: MAILER-DAEMON@x.test\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        f"--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n--b--\r\n"
    ).encode()


def test_dsn_of_postfix_shape() -> None:
    got = report(
        dsn(
            "Reporting-MTA: dns; mx.x.test\r\nOriginal-Envelope-Id: a+2Bb\r\n\r\n"
            "Final-Recipient: rfc822; c@x.test\r\nOriginal-Recipient: rfc822;C@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"  # noqa: E501
            "Remote-MTA: dns; in.x.test\r\nDiagnostic-Code: smtp; 550 5.1.1 No\r\n such user\r\n\r\n"
            "Final-Recipient: rfc822; <d@x.test>\r\nAction: delayed\r\nStatus: 4.4.1 (timeout)\r\n"
        )
    )
    assert got is not None
    assert (got.kind, got.envelope_id, got.original_message_id) == ("dsn", "a+b", "<msg_1@h.test>")
    first, second = got.recipients
    assert (first.address, first.original, first.action, first.status) == (
        "c@x.test",
        "C@x.test",
        "failed",
        "5.1.1",
    )
    assert (first.diagnostic, first.remote_mta) == ("550 5.1.1 No such user", "in.x.test")
    assert (second.address, second.action, second.status) == ("d@x.test", "delayed", "4.4.1")


@pytest.mark.parametrize(
    ("block", "address", "action", "status"),
    [
        ("Final-Recipient: RFC822; c@x.test\r\nAction: Failed (bad)\r\nStatus: 5.0.0", "c@x.test", "failed", "5.0.0"),
        ("Final-Recipient: c@x.test\r\nAction: failure\r\nStatus: 550", "c@x.test", "failed", "5.0.0"),
        ("Original-Recipient: rfc822;c@x.test\r\nStatus: 4.2.2", "c@x.test", "delayed", "4.2.2"),
        ("Final-Recipient: utf-8; J\\x{F6}rg@x.test\r\nAction: relayed\r\nStatus: 2.0.0", "Jörg@x.test", "relayed", "2.0.0"),  # noqa: E501
        ("Final-Recipient: rfc822;c@x.test\r\nAction: failed\r\nDiagnostic-Code: smtp;550 5.7.1 no", "c@x.test", "failed", "5.7.1"),  # noqa: E501
        ('Final-Recipient: rfc822;"c..d"@x.test\r\nAction: failed\r\nStatus: 5.1.1', "c..d@x.test", "failed", "5.1.1"),
        ("Final-Recipient: rfc822;c@x.test\r\nAction: delivered\r\nStatus: 2.1.5", "c@x.test", "delivered", "2.1.5"),
    ],
)  # fmt: skip
def test_dsn_variants(block: str, address: str, action: str, status: str) -> None:
    got = report(dsn(f"Reporting-MTA: dns; x\r\n\r\n{block}\r\n"))
    assert got is not None
    [recipient] = got.recipients
    assert (recipient.address, recipient.action, recipient.status) == (address, action, status)


def test_prose_is_marked_as_such() -> None:
    prose = b"From: MAILER-DAEMON@x\r\nSubject: failure\r\n\r\n<c@x.test>: 550 5.1.1 no such user\r\n"
    found = report(prose)
    assert found is not None
    assert found.words
    assert report(dsn("Reporting-MTA: dns; x\r\n")) is None


def test_feedback_report() -> None:
    raw = (
        b"From: fbl@x.test\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n"  # noqa: E501
        b"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
        b"Original-Rcpt-To: <c@x.test>\r\nOriginal-Rcpt-To: d@x.test\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Message-ID: <msg_2@h.test>\r\n\r\nbody\r\n--b--\r\n"
    )
    got = report(raw)
    assert got is not None
    assert (got.kind, got.feedback_type, got.original_message_id) == ("feedback", "abuse", "<msg_2@h.test>")
    assert got.complainants == ["c@x.test", "d@x.test"]


@pytest.mark.parametrize("name", ["sisimai", "flufl_bounce"])
def test_every_standard_report_in_the_corpora_is_read(name: str) -> None:
    paths = corpus(name)
    if not paths:
        pytest.skip("shared/corpora is not here")
    standard = read = known = 0
    for path in paths:
        raw = path.read_bytes()
        got = report(raw)
        lowered = raw.lower()
        if (
            b"message/delivery-status" in lowered and b"final-recipient:" in lowered
        ) or b"message/feedback-report" in lowered:
            standard += 1
            read += got is not None
        known += got is not None and got.original_message_id is not None
    print(
        f"{name}: {read} of {standard} standard reports, {known} with the original's Message-ID, of {len(paths)} mails"
    )
    assert standard
    assert read / standard >= 0.9
