"""Asking mail-parser about damaged dates: its recovery is better than guessing again."""

from __future__ import annotations

import logging
from email import message_from_bytes
from email.errors import MessageError

import mailparser
from mailparser.exceptions import MailParserError

from gateway.mime.headers import Head

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


def recover_date(head: Head) -> int | None:
    """µs since the epoch of a Date that our reader could not read; None when mail-parser cannot either."""
    values = head.raw("date")
    if not values or len(values[0]) > _CAP or values[0].count(b"(") > 20:
        return None
    block = b"date:" + values[0].replace(b"\0", b"") + b"\r\n\r\n"
    try:
        date = mailparser.MailParser(message_from_bytes(block)).date
        seconds = date.timestamp() if date is not None else -1.0
    except (*_FAILURES, OverflowError, OSError):
        return None
    return int(seconds) * 1_000_000 if 0 <= seconds < 7_258_118_400 else None
