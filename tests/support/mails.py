"""Mails from outside, and a person's IMAP client."""

from __future__ import annotations

import imaplib
import smtplib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage


def new_mail(
    to: str,
    subject: str = "Hello",
    text: str = "A line from outside.\n",
    *,
    sender: str = "Ann Outside <ann@abroad.test>",
    message_id: str | None = None,
    **headers: str,
) -> EmailMessage:
    """A plain message; ``headers`` name further fields with _ for -."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = message_id or f"<{time.time_ns()}.{threading.get_ident()}@abroad.test>"
    message["Date"] = "Sat, 21 Nov 2026 05:00:00 +0000"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def deliver(port: int, data: EmailMessage | bytes, *recipients: str, sender: str = "ann@abroad.test") -> None:
    """Hand a message to an SMTP server, as any foreign server would; raises smtplib.SMTPException."""
    raw = data if isinstance(data, bytes) else data.as_bytes()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="abroad.test", timeout=30) as smtp:
        smtp.sendmail(sender, list(recipients), raw)


@contextmanager
def person(host: str, port: int, address: str, password: str) -> Iterator[imaplib.IMAP4]:
    """A person's IMAP client, logged in."""
    client = imaplib.IMAP4(host, port, timeout=20)
    try:
        client.login(address, password)
        yield client
    finally:
        try:
            client.logout()
        except (OSError, imaplib.IMAP4.error):
            pass


def sees(client: imaplib.IMAP4, folder: str, *criteria: str) -> list[bytes]:
    """The message numbers in a folder that match an IMAP SEARCH."""
    status, _ = client.select(folder)
    if status != "OK":
        return []
    _, found = client.search(None, *criteria)
    return list(found[0].split()) if found and found[0] else []
