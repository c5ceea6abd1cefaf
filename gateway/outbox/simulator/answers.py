"""The mails that the simulator answers with, as octets: reports of machines, and what people and services write."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple

from gateway.mime.compose import compose
from gateway.mime.headers import Head, split_head
from gateway.mime.parse import message_ids
from gateway.mime.types import Address, OutgoingMessage
from gateway.outbox.bounce import Failed, compose_dsn
from gateway.outbox.simulator.behaviour import Behaviour, Kind
from gateway.records.ids import now_us
from gateway.records.simulator import SIMULATOR_DOMAIN
from mailserver.base import RecipientReply

_MOST_HEAD = 16 * 1024
_MOST_QUOTED = 2000  # characters
_QUOTED_LINES = 20
_MOST_SUBJECT = 200
_MOST_REFERENCES = 20
_ID = re.compile(r"<[!-;=?-~]{1,900}>")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PREFIX = re.compile(r"\s*(?:re|aw|sv|antw)\s*:\s*", re.I)


@dataclass(frozen=True, slots=True)
class Original:
    """The mail that is answered. ``raw``: its octets, or their beginning; ``text``: what it says, where that is known;
    ``mail_from``: the return path that the recipient saw; ``to``: its author's own address; ``token``: its envelope id
    (RFC 3461); ``at``: when it was accepted, µs."""

    raw: bytes
    recipient: str
    mail_from: str
    to: str
    token: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A mail that comes back: its octets, and the two sides of its envelope. ``mail_from`` is empty for what no program
    may answer (RFC 3834 §3.3)."""

    mail_from: str
    recipient: str
    message_id: str
    raw: bytes


def answer_to(original: Original, behaviour: Behaviour, message_id: str) -> Answer | None:
    """What comes back from an address that took ``original``; None when nothing does. ``message_id``: of the answer,
    with < >."""
    kind = behaviour.kind
    if kind == "complaint":
        return Answer("", original.mail_from, message_id, _feedback(original, message_id))
    if kind == "dsn-late":
        return Answer("", original.mail_from, message_id, _report(original, behaviour, message_id))
    if kind == "out-of-office":
        if _automatic(original):
            return None  # RFC 3834 §2: no automatic answer to one
        return Answer("", original.mail_from, message_id, _write(original, message_id, kind))
    if kind in _LETTERS:
        return Answer(original.recipient, original.to, message_id, _write(original, message_id, kind))
    return None


def _report(original: Original, behaviour: Behaviour, message_id: str) -> bytes:
    words = f"{behaviour.status} the simulator gave this up later, as asked"
    reply = RecipientReply(behaviour.code, behaviour.status, words, SIMULATOR_DOMAIN)
    return compose_dsn(
        to=original.mail_from,
        hostname=SIMULATOR_DOMAIN,
        message_id=message_id,
        failed=[Failed(original.recipient, reply, expired=False)],
        accepted_at=original.at,
        original=original.raw,
        envelope_id=original.token,
    )


def _feedback(original: Original, message_id: str) -> bytes:
    """An abuse report (RFC 5965 §2)."""
    boundary = f"=_{secrets.token_hex(16)}"
    now = format_datetime(datetime.now(UTC))
    lines = [
        f"From: Feedback <feedback@{SIMULATOR_DOMAIN}>",
        f"To: {original.mail_from}",
        "Subject: Abuse report",
        f"Date: {now}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=feedback-report;\r\n boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "A recipient of the simulator called this mail unwanted, as asked.",
        "",
        f"--{boundary}",
        "Content-Type: message/feedback-report",
        "",
        "Feedback-Type: abuse",
        f"User-Agent: {SIMULATOR_DOMAIN}/1",
        "Version: 1",
        f"Original-Mail-From: <{original.mail_from}>",
        f"Original-Rcpt-To: <{original.recipient}>",
        f"Arrival-Date: {now}",
        f"Reported-Domain: {original.mail_from.rpartition('@')[2]}",
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        *_head_lines(original.raw),
        "",
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("ascii", "replace")


def _head_lines(raw: bytes) -> list[str]:
    head = raw[:_MOST_HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return [line[:990] for line in head.decode("ascii", "replace").replace("\ufffd", "?").split("\n")]


def _write(original: Original, message_id: str, kind: Kind) -> bytes:
    """A mail of a person or a service."""
    head = split_head(original.raw[:_MOST_HEAD])
    letter = _letter(kind, original, head, message_id)
    answered = _thread_ids(head.first("message-id"))[:1] if letter.threaded else []
    before = _thread_ids(head.first("references"))[-_MOST_REFERENCES:] if letter.threaded else []
    message = OutgoingMessage(
        message_id=message_id,
        sender=Address(_NAMES[kind], original.recipient),
        to=[Address("", original.to)],
        cc=[],
        reply_to=[],
        subject=letter.subject,
        text=letter.text,
        html=None,
        attachments=[],
        headers={"Auto-Submitted": "auto-replied"} if kind == "out-of-office" else {},
        in_reply_to=answered[0] if answered else None,
        references=list(dict.fromkeys([*before, *answered])),
        date=now_us(),
    )
    return compose(message)


class _Letter(NamedTuple):
    """What is written. ``threaded``: it answers the mail, rather than being about something else."""

    subject: str
    text: str
    threaded: bool = True


def _letter(kind: Kind, original: Original, head: Head, message_id: str) -> _Letter:
    """What a code or a link is, is derived from the Message-ID: the same when the mail is made again."""
    digest = hashlib.sha256(message_id.encode()).digest()
    subject = _subject(head)
    if kind == "code":
        code = f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"
        text = f"Your verification code is {code}\n\nIt is good for ten minutes. Do not give it to anybody."
        return _Letter("Your verification code", text, threaded=False)
    if kind == "link":
        url = f"https://{SIMULATOR_DOMAIN}/confirm?token={digest[:16].hex()}"
        text = f"Please confirm your email address:\n\n{url}\n\nIf you did not sign up, do nothing."
        return _Letter("Confirm your email address", text, threaded=False)
    if kind == "forged":
        text = "Please pay all open invoices today, and to this new account: DE00 0000 0000 0000 0000 00."
        return _Letter("New bank account", text, threaded=False)
    if kind == "out-of-office":
        return _Letter(
            f"Automatic reply: {subject}", "I am out of the office, and read your mail when I am back."
        )
    words = "Thank you for your mail. I have read it, and it is fine with me.\n\nSam"
    if kind == "loop":
        words = "I answer every mail at once, and I will answer the next one too. What do you say?"
    return _Letter(f"Re: {subject}", f"{words}\n\n{_quoted(original)}")


_LETTERS: frozenset[Kind] = frozenset(["reply", "loop", "code", "link", "forged"])
ANSWERING: frozenset[Kind] = _LETTERS | {"complaint", "dsn-late", "out-of-office"}
"""What anything comes back from."""
_NAMES: dict[Kind, str] = {
    "reply": "Sam Simulator",
    "loop": "Loop Partner",
    "out-of-office": "Sam Simulator",
    "code": "Simulated Service",
    "link": "Simulated Service",
    "forged": "Managing Director",
}


def _subject(head: Head) -> str:
    subject = " ".join(_CONTROLS.sub(" ", head.first("subject")).split())[:_MOST_SUBJECT]
    return _PREFIX.sub("", subject, count=1) or "your mail"


def _quoted(original: Original) -> str:
    moment = datetime.fromtimestamp(original.at / 1e6, UTC).strftime("%a, %d %b %Y at %H:%M")
    lines = original.text[:_MOST_QUOTED].strip().splitlines()[:_QUOTED_LINES]
    return "\n".join([f"On {moment}, {original.to} wrote:", *(f"> {line}".rstrip() for line in lines)]) + "\n"


def _automatic(original: Original) -> bool:
    value = split_head(original.raw[:_MOST_HEAD]).text("auto-submitted")
    return value.partition(";")[0].strip().lower() not in ("", "no")


def _thread_ids(field: str) -> list[str]:
    return [one for one in message_ids(field) if _ID.fullmatch(one)]
