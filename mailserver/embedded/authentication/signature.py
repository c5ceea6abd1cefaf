"""One signature over header fields and a body, of DKIM (RFC 6376) or ARC (RFC 8617), checked by dkimpy within bounds.

dkimpy's regular expressions are quadratic, it looks through all fields for each name that a signature lists, and its
RSA takes keys of any size: so it is given short signatures, only the fields that they cover, and keys of usual size.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import dkim.canonicalization

from mailserver.embedded import wire
from mailserver.embedded.authentication.lookups import Lookups

logging.getLogger("dkimpy").setLevel(logging.CRITICAL)  # it reports each bad signature as an error

ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
"""RFC 8301 §3.1 forbids rsa-sha1."""
LONGEST = 8 * 1024
"""Octets of a signature's field that is checked."""
_LONGEST_KEY = 2048  # an RSA key of 8192 bits takes 1400
_LINES = 1 << 20  # octets that are taken apart into lines at once


def tags(text: str) -> dict[str, str]:
    """The tags of a signature or record (RFC 6376 §3.2), white space in values removed."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): "".join(value.split()) for name, equals, value in pairs if equals}


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key is asked for; ``identity`` is a signature's ``i=``, empty without one."""

    domain: str
    selector: str
    algorithm: str
    identity: str = ""


def key_of(lookups: Lookups, use: KeyUse) -> bytes | None:
    """The public key as dkimpy reads it; None when there is none that permits ``use`` (RFC 6376 §3.6.1).

    Raises Unanswered.
    """
    texts = lookups.texts(f"{use.selector}._domainkey.{use.domain}")
    found = next((one for one in map(tags, texts) if "p" in one), None)
    if found is None or not _permits(found, use):
        return None
    return f"k={found.get('k', 'rsa')}; p={found['p']}".encode("ascii", "replace")


def _permits(key: dict[str, str], use: KeyUse) -> bool:
    kind, _, digest = use.algorithm.partition("-")
    if key.get("v", "DKIM1") != "DKIM1" or key.get("k", "rsa") != kind:
        return False
    if not 0 < len(key["p"]) <= _LONGEST_KEY:  # an empty one is revoked
        return False
    if "h" in key and digest not in key["h"].lower().split(":"):
        return False
    if not {"*", "email"} & set(key.get("s", "*").lower().split(":")):
        return False
    named = use.identity.rpartition("@")[2].lower() or use.domain.lower()
    return "s" not in key.get("t", "").lower().split(":") or named == use.domain.lower()


def covered(fields: Sequence[bytes], listed: Sequence[bytes]) -> list[bytes]:
    """The fields that a signature covers, in their order: of each name as many as ``listed`` says, from the bottom."""
    wanted = Counter(listed)
    kept: list[bytes] = []
    for field in reversed(fields):
        name = wire.name_of(field)
        if wanted[name] > 0:
            wanted[name] -= 1
            kept.append(field)
    kept.reverse()
    return kept


def without_trailing_blanks(content: bytes) -> bytes:
    """dkimpy's ``strip_trailing_whitespace``, linear: its own needs a minute for a megabyte of blanks."""
    stripped = bytearray()
    at = 0
    while at < len(content):  # a mail of short lines is many times its size when it is taken apart at once
        end = content.rfind(b"\r\n", at, at + _LINES)
        if end < 0:
            end = content.find(b"\r\n", at)
        if end < 0:
            stripped += content[at:]
            break
        for line in content[at:end].split(b"\r\n"):
            stripped += line.rstrip(b"\t ")
            stripped += b"\r\n"
        at = end + 2
    return bytes(stripped)


dkim.canonicalization.strip_trailing_whitespace = (
    without_trailing_blanks  # the library offers no other way in
)
