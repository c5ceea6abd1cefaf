"""When a message came, by its own words, where no mailbox says it."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def date_of(raw: bytes) -> int | None:
    """The time (µs) of the topmost Received, else of Date; None when neither says one."""
    head = raw[:65536].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    lines = head.replace(b"\n\t", b" ").replace(b"\n ", b" ").split(b"\n")
    for name, after in ((b"received:", ";"), (b"date:", "")):
        for line in lines:
            if line[: len(name)].lower() == name:
                text = line[len(name) :].decode("latin-1")[:2000]
                try:
                    when = parsedate_to_datetime(text.rpartition(after)[2] if after else text)
                    return int(when.timestamp() * 1_000_000)
                except (ValueError, TypeError, OverflowError, IndexError):
                    break
    return None
