"""Reports as foreign servers write them: RFC 3464 delivery reports, RFC 5965 feedback reports."""

from __future__ import annotations

from email.message import Message

_STATUS = {"failed": "5.2.1", "delivered": "2.1.5", "delayed": "4.4.1"}


def delivery_report(original: Message, recipient: str, action: str) -> bytes:
    """A report that ``original`` was ``failed``, ``delivered`` or ``delayed`` for a recipient."""
    status = _STATUS[action]
    return _report(
        "delivery-status",
        f"Reporting-MTA: dns; mx.abroad.test\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n"
        f"Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} as it is\r\n",
        "MAILER-DAEMON@abroad.test",
        original,
    )


def feedback_report(original: Message, recipient: str) -> bytes:
    """A complaint of a recipient about ``original``."""
    return _report(
        "feedback-report",
        f"Feedback-Type: abuse\r\nUser-Agent: Abroad/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: <{recipient}>\r\n",
        "fbl@abroad.test",
        original,
    )


def _report(kind: str, facts: str, sender: str, original: Message) -> bytes:
    fields = "".join(
        f"{name}: {original[name]}\r\n"
        for name in ("From", "To", "Subject", "Date", "Message-ID")
        if original[name]
    )
    return (
        f"From: {sender}\r\nTo: someone@abroad.test\r\nSubject: A report\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="=_r"\r\n\r\n'
        "--=_r\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n"
        f"--=_r\r\nContent-Type: message/{kind}\r\n\r\n{facts}\r\n"
        f"--=_r\r\nContent-Type: text/rfc822-headers\r\n\r\n{fields}\r\n--=_r--\r\n"
    ).encode()
