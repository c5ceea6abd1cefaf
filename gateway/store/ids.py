"""Every public id, and the one value behind it (DESIGN §1.2).

An id is a ULID in lower-case Crockford base 32 (48 bits of milliseconds, 80 bits of identity). Its public
forms are ``msg_<ulid>`` (prefixed), the bare ULID, and a JS-safe integer of 53 bits. What we mint is random;
what comes from the mail server is derived from the message, so it survives a rebuild.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ULID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_PREFIXED = re.compile(r"(?:[a-z]{2,5}_)?([0-7][0-9a-hjkmnp-tv-z]{25})")
_MAX_MS = (1 << 48) - 1
_MAX_NUMBER = (1 << 53) - 1


def _encode(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def now_us() -> int:
    """Microseconds since the epoch (UTC)."""
    return time.time_ns() // 1000


def new_ulid(at_us: int | None = None) -> str:
    """A fresh random ULID; ``at_us`` is its time part (default: now)."""
    ms = min(max((now_us() if at_us is None else at_us) // 1000, 0), _MAX_MS)
    return _encode((ms << 80) | secrets.randbits(80))


ULID_TIME = 10
"""How many of a ULID's characters are its time; the rest is random, or a digest."""


def _without_nul(part: str) -> str:
    """``part`` so that a NUL ends it and nothing else: a hostile Message-ID may hold one."""
    return part.replace("\x01", "\x01\x01").replace("\x00", "\x01\x02")


def derived_ulid(at_us: int, *identity: str) -> str:
    """The ULID of something that exists on the mail server: its time and its identity, never the clock."""
    ms = min(max(at_us // 1000, 0), _MAX_MS)
    digest = hashlib.sha256("\x00".join(map(_without_nul, identity)).encode("utf-8", "replace")).digest()
    return _encode((ms << 80) | int.from_bytes(digest[:10], "big"))


def number_of(ulid: str) -> int:
    """The JS-safe integer form (1 … 2^53-1) of a ULID."""
    return int.from_bytes(hashlib.sha256(ulid.encode()).digest()[:8], "big") >> 11 or 1


def parse_id(prefix: str, text: str) -> str | None:
    """The bare ULID of ``prefix_ulid`` or ``ulid`` in any case; None when it is neither."""
    low = text.strip().lower()
    if low.startswith(prefix + "_"):
        low = low[len(prefix) + 1 :]
    return low if _ULID.fullmatch(low) else None


def number_in(text: str) -> int | None:
    """The number that ``text`` writes in decimal digits; None for anything else, too large ones included."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    number = int(text)
    return number if number <= _MAX_NUMBER else None


def ulid_time_us(ulid: str) -> int:
    """The time part of a ULID, in microseconds."""
    value = 0
    for char in ulid[:10]:
        value = (value << 5) | _ALPHABET.index(char)
    return value * 1000


def message_id_header(ulid: str, domain: str) -> str:
    """The RFC 5322 Message-ID of what we send: ``<msg_ULID@domain>``."""
    return f"<msg_{ulid}@{domain}>"


_OWN = re.compile(r"<msg_([0-7][0-9a-hjkmnp-tv-z]{25})@[^<>@\s]+>")


def own_message_ulid(message_id: str) -> str | None:
    """The ULID inside a Message-ID that has our form; None for anyone else's."""
    match = _OWN.fullmatch(message_id.strip())
    return match.group(1) if match else None
