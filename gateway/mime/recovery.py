"""Asking mail-parser about damaged headers: its recovery of addresses and dates is better than guessing again."""

from __future__ import annotations

import logging
from email import message_from_bytes
from email.errors import MessageError

import mailparser
from mailparser.exceptions import MailParserError

from gateway.mime.headers import Head
from gateway.mime.types import Address

_CAP = 4096  # octets of one field handed over: some of its paths are not linear
_FAILURES = (
    MailParserError,
    MessageError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    RecursionError,
)
logging.getLogger("mailparser").setLevel(logging.CRITICAL)


def _ask(head: Head, name: str) -> mailparser.MailParser | None:
    values = head.raw(name)
    if not values or len(values[0]) > _CAP or values[0].count(b"(") > 20:
        return None
    try:
        block = name.encode() + b":" + values[0].replace(b"\0", b"") + b"\r\n\r\n"
        return mailparser.MailParser(message_from_bytes(block))
    except _FAILURES:
        return None


def recover_from(head: Head) -> list[Address]:
    """Addresses mail-parser finds in a From that our reader found none in."""
    parser = _ask(head, "from")
    if parser is None:
        return []
    try:
        pairs = parser.from_
    except _FAILURES:
        return []
    from gateway.mime.addresses import parse_address_list

    found: list[Address] = []
    for _, email in pairs or []:
        found += [a for a in parse_address_list(str(email)) if "@" in a.email]
    return found


def recover_date(head: Head) -> int | None:
    """µs since the epoch of a Date that our reader could not read; None when mail-parser cannot either."""
    parser = _ask(head, "date")
    if parser is None:
        return None
    try:
        date = parser.date
        seconds = date.timestamp() if date is not None else -1.0
    except (*_FAILURES, OverflowError, OSError):
        return None
    return int(seconds) * 1_000_000 if 0 <= seconds < 7_258_118_400 else None
