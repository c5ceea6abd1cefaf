"""What accepting a message answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.mime.types import Address, ParsedMessage
from gateway.records.ids import MessageId, ReviewId, ThreadId

Span = Literal["burst", "daily", "global", "cold_outreach"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after what was just done. ``reset``: epoch seconds when there is more again."""

    span: Span
    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Sent:
    """Bare ULIDs of the accepted message and its thread, and the ``message`` as its readers see it, which names no
    ``bcc``. ``at``: its time in µs. ``allowance``: what is left of the tightest limit. ``review_id``: of the review
    that must approve it before it leaves; None: it is on its way."""

    message_id: MessageId
    thread_id: ThreadId
    at: int
    message: ParsedMessage
    bcc: list[Address] = field(default_factory=list)
    allowance: Allowance | None = None
    review_id: ReviewId | None = None
