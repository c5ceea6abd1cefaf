"""One message as a filter sees it, and what a filter may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """A field with results of authentication: the ``occurrence``-th (from 1) of its ``name`` (lower case)."""

    name: bytes
    occurrence: int
    field: bytes


@dataclass(slots=True)
class Mail:
    """A message being received, whole when a filter judges it.

    ``login`` is the SASL login of who hands it in, empty for mail from the world. ``mail_from`` has no angle
    brackets. ``claims`` are the fields in it that have results of authentication, in order.
    """

    client: str
    address: str
    helo: str
    mail_from: str = ""
    login: str = ""
    queue_id: str = ""
    data: bytearray = field(default_factory=bytearray)
    claims: list[Claim] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message: ``refuse`` (an SMTP reply of code, status and words) or, without it, taken, with
    the fields in ``drop`` gone and ``top`` (a whole field) put on top."""

    top: bytes = b""
    drop: tuple[Claim, ...] = ()
    refuse: str = ""


class Filter(Protocol):
    """Decides."""

    def passes(self, login: str) -> bool:
        """Whether mail of this login need not be looked at. Must not block."""

    async def judge(self, mail: Mail) -> Verdict:
        """What becomes of a whole message. Bounded in time; may raise: then it is deferred when a person handed it
        in, and taken as it is when it comes from the world."""
