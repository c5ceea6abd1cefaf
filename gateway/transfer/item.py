"""One message as a mailbox has it, and its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ROLES = ("inbox", "sent", "drafts", "junk", "trash", "archive", "other")

_LONE = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Item:
    """A message. ``folder`` has its levels separated by ``/``; ``date`` is µs since the epoch, None when unknown.

    ``role`` is what the folder is for (one of ``ROLES``); ``origin`` names the message in reports.
    """

    folder: str
    role: str
    flags: tuple[str, ...]
    date: int | None
    origin: str
    raw: bytes = field(repr=False)


def to_unix(raw: bytes) -> bytes:
    """CRLF as LF, as files on Unix have it; what IMAP hands out has no other LF, so ``to_wire`` undoes it."""
    return raw.replace(b"\r\n", b"\n")


def to_wire(data: bytes) -> bytes:
    """Every LF as CRLF (RFC 5322 §2.1)."""
    return _LONE.sub(b"\r\n", data)
