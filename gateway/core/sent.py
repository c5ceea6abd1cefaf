"""What accepting a message answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.sending.limits import Allowance
from gateway.mime.types import Address, ParsedMessage


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
