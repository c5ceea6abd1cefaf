"""Ids: how each kind is made, shown and read.

An id is a ULID in lower-case Crockford base 32 (48 bits of milliseconds, 80 bits of identity); each kind is a type of
its own. Its public forms are ``msg_<ulid>`` (prefixed), the bare ULID, and a JS-safe integer of 53 bits. What we mint
is random; what comes from the mail server is derived from the message, so it survives a rebuild.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Generic, NewType, TypeVar, cast, overload

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ULID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_MAX_MS = (1 << 48) - 1
_MAX_NUMBER = (1 << 53) - 1

ULID_TIME = 10
"""How many of a ULID's characters are its time; the rest is random, or a digest."""

OrganizationId = NewType("OrganizationId", str)
PodId = NewType("PodId", str)
KeyId = NewType("KeyId", str)
InboxId = NewType("InboxId", str)
RuleId = NewType("RuleId", str)
MessageId = NewType("MessageId", str)
ThreadId = NewType("ThreadId", str)
DraftId = NewType("DraftId", str)
WebhookId = NewType("WebhookId", str)
EventId = NewType("EventId", str)
PolicyId = NewType("PolicyId", str)
ReviewId = NewType("ReviewId", str)
AuditId = NewType("AuditId", str)

Id = TypeVar("Id", bound=str)


def now_us() -> int:
    """Microseconds since the epoch (UTC)."""
    return time.time_ns() // 1000


def new_ulid(at_us: int | None = None) -> str:
    """A fresh random ULID; ``at_us`` is its time part (default: now)."""
    return _ulid(now_us() if at_us is None else at_us, secrets.randbits(80))


def derived_ulid(at_us: int, *identity: str) -> str:
    """The ULID of something that exists on the mail server: its time and its identity, never the clock."""
    digest = hashlib.sha256("\x00".join(map(_without_nul, identity)).encode("utf-8", "replace")).digest()
    return _ulid(at_us, int.from_bytes(digest[:10], "big"))


def _ulid(at_us: int, identity: int) -> str:
    value = min(max(at_us // 1000, 0), _MAX_MS) << 80 | identity
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def _without_nul(part: str) -> str:
    """``part`` so that a NUL ends it and nothing else: a hostile Message-ID may hold one."""
    return part.replace("\x01", "\x01\x01").replace("\x00", "\x01\x02")


def ulid_time_us(ulid: str) -> int:
    """The time part of a ULID, in microseconds."""
    value = 0
    for char in ulid[:ULID_TIME]:
        value = (value << 5) | _ALPHABET.index(char)
    return value * 1000


class IdKind(Generic[Id]):
    """The ids of one kind of thing."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix + "_"

    def new(self, at_us: int | None = None) -> Id:
        """A fresh random id (``new_ulid``)."""
        return cast(Id, new_ulid(at_us))

    def derived(self, at_us: int, *identity: str) -> Id:
        """The id of something that exists on the mail server (``derived_ulid``)."""
        return cast(Id, derived_ulid(at_us, *identity))

    @overload
    def public(self, ulid: Id) -> str: ...

    @overload
    def public(self, ulid: Id | None) -> str | None: ...

    def public(self, ulid: Id | None) -> str | None:
        """Its public form, ``msg_<ulid>``; None for None."""
        return None if ulid is None else self.prefix + ulid

    def parse(self, text: str) -> Id | None:
        """The id that ``text`` writes with or without the prefix, in any case; None when it is no such id."""
        ulid = text.strip().lower().removeprefix(self.prefix)
        return cast(Id, ulid) if _ULID.fullmatch(ulid) else None


ORGANIZATION_ID = IdKind[OrganizationId]("org")
POD_ID = IdKind[PodId]("pod")
KEY_ID = IdKind[KeyId]("key")
INBOX_ID = IdKind[InboxId]("inb")
RULE_ID = IdKind[RuleId]("rule")
MESSAGE_ID = IdKind[MessageId]("msg")
THREAD_ID = IdKind[ThreadId]("thr")
DRAFT_ID = IdKind[DraftId]("dft")
WEBHOOK_ID = IdKind[WebhookId]("wh")
EVENT_ID = IdKind[EventId]("evt")
POLICY_ID = IdKind[PolicyId]("pol")
REVIEW_ID = IdKind[ReviewId]("rev")
AUDIT_ID = IdKind[AuditId]("aud")
ATTACHMENT_ID = IdKind[str]("att")
OUTBOX_ID = IdKind[MessageId]("out")
"""Of a message that a mail client submitted: it is known by its place in the outbox alone."""


def number_of(ulid: str) -> int:
    """The JS-safe integer form (1 … 2^53-1) of a ULID."""
    return int.from_bytes(hashlib.sha256(ulid.encode()).digest()[:8], "big") >> 11 or 1


def number_in(text: str) -> int | None:
    """The number that ``text`` writes in decimal digits; None for anything else, too large ones included."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    number = int(text)
    return number if number <= _MAX_NUMBER else None


def message_id_header(ulid: MessageId, domain: str) -> str:
    """The RFC 5322 Message-ID of what we send: ``<msg_ULID@domain>``."""
    return f"<{MESSAGE_ID.public(ulid)}@{domain}>"


_OWN = re.compile(r"<msg_([0-7][0-9a-hjkmnp-tv-z]{25})@[^<>@\s]+>")


def own_message_ulid(message_id: str) -> MessageId | None:
    """The ULID inside a Message-ID that has our form; None for anyone else's."""
    match = _OWN.fullmatch(message_id.strip())
    return MessageId(match.group(1)) if match else None
