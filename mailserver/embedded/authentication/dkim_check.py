"""The DKIM signatures of a message (RFC 6376)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import dkim

from mailserver.addresses import fold_domain
from mailserver.base import MailServerError
from mailserver.embedded import wire
from mailserver.embedded.authentication.lookups import Lookups, Unanswered
from mailserver.embedded.authentication.signature import ALGORITHMS, LONGEST, KeyUse, covered, key_of, tags

log = logging.getLogger(__name__)

_SIGNATURES = 5
_LONGEST_DOMAIN = 255
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature and its result, in the words of RFC 8601 §2.7.1."""

    result: str
    domain: str
    selector: str


def signatures(
    lookups: Lookups, fields: Sequence[bytes], body: bytes | None, authors: Sequence[str]
) -> list[Signature]:
    """The first signatures, those next to the authors' domains before all others: they decide about DMARC.

    ``body`` has CRLF line ends only; None is one that is too large to check.
    """
    raw = [one for one in fields if wire.name_of(one) == b"dkim-signature"]
    tagged = [(one, _tags(one)) for one in raw]
    if len(tagged) > _SIGNATURES:
        tagged.sort(
            key=lambda one: -max((_near(one[1].get("d", ""), author) for author in authors), default=0)
        )
    return [
        Signature(_result(lookups, fields, body, field, found), found.get("d", ""), found.get("s", ""))
        for field, found in tagged[:_SIGNATURES]
    ]


def _tags(field: bytes) -> dict[str, str]:
    """The tags, domains in A-labels (RFC 8616 §5)."""
    found = tags(field.partition(b":")[2].decode("utf-8", "replace"))
    if "d" in found:
        found["d"] = _folded(found["d"])
    if "i" in found:
        local, at, domain = found["i"].rpartition("@")
        found["i"] = f"{local}{at}{_folded(domain)}"
    return found


def _folded(domain: str) -> str:
    if domain.isascii() or len(domain) > _LONGEST_DOMAIN:
        return domain.lower()
    try:
        return fold_domain(domain)
    except MailServerError:
        return domain.lower()


def _near(domain: str, author: str) -> int:
    """How many labels, from the right, two domains share."""
    pairs = zip(reversed(domain.split(".")), reversed(author.split(".")), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _result(
    lookups: Lookups, fields: Sequence[bytes], body: bytes | None, field: bytes, found: dict[str, str]
) -> str:
    if body is None:
        return "temperror"
    # l= signs only a part, to which anyone may append
    if found.get("a", "").lower() not in ALGORITHMS or "l" in found or len(field) > LONGEST:
        return "policy"
    if sum(wire.name_of(one) == b"from" for one in fields) != 1:
        return "policy"
    # dkimpy is slow to find that out
    if not (_BASE64.fullmatch(found.get("b", "")) and _BASE64.fullmatch(found.get("bh", ""))):
        return "fail"
    use = KeyUse(found.get("d", ""), found.get("s", ""), found.get("a", "").lower(), found.get("i", ""))
    listed = [one.lower().encode("ascii", "replace") for one in found.get("h", "").split(":")]
    try:
        key = key_of(lookups, use)
        if key is None:
            return "fail"
        # the body by itself: dkimpy takes a whole message apart into lines, many times its size
        others = [one for one in fields if one is not field]
        signed = dkim.DKIM(b"".join([field, *covered(others, [*listed, b"from"])]) + b"\r\n")
        signed.body = body
        return "pass" if signed.verify(0, lambda name, timeout=0: key) else "fail"
    except dkim.ValidationError:
        return "fail"
    except Unanswered:
        return "temperror"
    except Exception as error:
        log.info("DKIM: %r", error)
        return "permerror"
