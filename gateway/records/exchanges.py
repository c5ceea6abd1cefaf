"""What an inbox and others wrote to each other lately: the facts about automatic rounds (``core.guard``)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.records.ids import ThreadId


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of an exchange, or with ``at`` now the one that is to be sent. Times in µs.

    ``chars``: how much text is new in it. ``marked``: a program says that it wrote this (RFC 3834), mailing lists
    apart. ``echo``: the inbox sent it to itself. ``left``: when what was sent was handed over; None while it waits.
    ``due``: until when it is held back.
    """

    at: int
    inbound: bool
    chars: int
    thread_id: ThreadId
    subject: str
    marked: bool = False
    echo: bool = False
    left: int | None = None
    due: int | None = None
