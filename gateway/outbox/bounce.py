"""Telling a person that their mail did not arrive: a delivery status notification (RFC 3464).

Agents get it as an event; a person who sent with a mail client gets the mail they know.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.outbox.queue import enqueue
from gateway.records.ids import OUTBOX_ID, now_us
from gateway.store.queries.outbox import mime_of
from gateway.store.queries.outbox_claims import Job
from gateway.store.transaction import Tx
from mailserver.base import RecipientReply

_MAX_HEAD = 16 * 1024
_MAX_TEXT = 500
_MAX_LINE = 990


@dataclass(frozen=True, slots=True)
class Failed:
    """A recipient given up. ``expired``: the failures were temporary, but patience is over."""

    address: str
    reply: RecipientReply
    expired: bool


def bounce_person(tx: Tx, job: Job, failed: Sequence[Failed], hostname: str) -> None:
    """Queue a notification to the sender of ``job``, from the null sender (it is never answered itself)."""
    outbox_id = OUTBOX_ID.new()
    mime = compose_dsn(
        to=job.mail_from,
        hostname=hostname,
        message_id=f"<dsn_{outbox_id}@{hostname}>",
        failed=failed,
        accepted_at=job.created_at,
        original=mime_of(tx, job.id) or b"",
    )
    enqueue(
        tx,
        outbox_id=outbox_id,
        organization_id=job.organization_id,
        inbox_id=job.inbox_id,
        mail_from="",
        message_id=f"<dsn_{outbox_id}@{hostname}>",
        token=outbox_id,
        mime=mime,
        recipients=[(job.mail_from, "to")],
    )


def compose_dsn(
    *,
    to: str,
    hostname: str,
    message_id: str,
    failed: Sequence[Failed],
    accepted_at: int,
    original: bytes,
    envelope_id: str = "",
) -> bytes:
    """The notification as octets: for people, for programs, and the header of what came back. ``envelope_id``: what
    its sender called the transaction (RFC 3464 §2.2.1)."""
    boundary = f"=_{secrets.token_hex(16)}"
    people = [f"<{_line(one.address)}>: {_why(one)}" for one in failed]
    head = original[:_MAX_HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    returned = head.decode("ascii", "replace").replace("\ufffd", "?").split("\n")
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>",
        f"To: {_line(to)}",
        "Subject: Undelivered mail returned to sender",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"Your message could not be delivered by {hostname} to:",
        "",
        *people,
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        "\r\n\r\n".join(_blocks(hostname, accepted_at, failed, envelope_id)),
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        *(line[:_MAX_LINE] for line in returned),
        "",
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("ascii", "replace")


def _blocks(hostname: str, accepted_at: int, failed: Sequence[Failed], envelope_id: str) -> list[str]:
    arrival = format_datetime(datetime.fromtimestamp(accepted_at / 1e6, UTC))
    envelope = f"Original-Envelope-Id: {_line(envelope_id)}\r\n" if envelope_id else ""
    blocks = [f"{envelope}Reporting-MTA: dns; {hostname}\r\nArrival-Date: {arrival}"]
    last = format_datetime(datetime.fromtimestamp(now_us() / 1e6, UTC))
    for one in failed:
        # RFC 3464 §2.3: one block a recipient
        block = f"Final-Recipient: rfc822; {_line(one.address)}\r\nAction: failed\r\nStatus: {_status(one)}"
        if one.reply.remote:
            block += f"\r\nRemote-MTA: dns; {_line(one.reply.remote)}"
        block += f"\r\nDiagnostic-Code: smtp; {one.reply.code} {_line(one.reply.text)}\r\nLast-Attempt-Date: {last}"
        blocks.append(block)
    return blocks


def _status(one: Failed) -> str:
    status = _line(one.reply.status)[:20]
    if one.expired:
        return status or "4.4.7"  # delivery time expired (RFC 3463 §3.5)
    return status or "5.0.0"


def _why(one: Failed) -> str:
    said = f"{one.reply.code} {_line(one.reply.text)}".strip()
    where = f"{_line(one.reply.remote)} said: " if one.reply.remote else ""
    return f"{where}{said}" + (" (tried for days, given up)" if one.expired else "")


def _line(text: str) -> str:
    """ASCII on one line: what a stranger's server said must not write header fields of ours."""
    return " ".join("".join(c if " " <= c <= "~" else " " for c in text).split())[:_MAX_TEXT]
