"""What accepting a message answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.mime.types import Address, ParsedMessage

Span = Literal["burst", "daily", "global", "cold_outreach"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How a limit stands after what was just done. ``reset``: epoch seconds when there is more again."""

    span: Span
    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Sent:
    """Bare ULIDs of the accepted message and its thread, and the ``message`` as its readers see it, which names no
    ``bcc``. ``at``: its time in µs. ``allowance``: how the tightest limit stands now."""

    message_id: str
    thread_id: str
    at: int
    message: ParsedMessage
    bcc: list[Address] = field(default_factory=list)
    allowance: Allowance | None = None
