"""The chain of servers that a message came through, by their seals (RFC 8617 §5.2).

Of the message signatures only the newest counts: a server that forwards may change a message, and then signs it anew.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dkim
import dkim.util

from mailserver.embedded import wire
from mailserver.embedded.authentication import reports
from mailserver.embedded.authentication.lookups import Lookups, Unanswered
from mailserver.embedded.authentication.signature import ALGORITHMS, LONGEST, KeyUse, covered, key_of

log = logging.getLogger(__name__)

_MOST = 50  # RFC 8617 §4.2.1
_REPORT, _SIGNATURE, _SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;(.*)", re.DOTALL)
_LIMITS = {_REPORT: reports.LONGEST, _SIGNATURE: LONGEST, _SEAL: LONGEST}
_SIGNED_TAGS = [b"i", b"a", b"b", b"bh", b"d", b"h", b"s"]
_SEALED_TAGS = [b"i", b"a", b"b", b"cv", b"d", b"s"]

_Tags = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Chain:
    """What was found; ``result`` is ``none``, ``pass``, ``fail`` or, while a key cannot be had, ``temperror``.

    ``sealers`` (domains) and ``reports`` (what each sealed in its ARC-Authentication-Results, without ``i=``) are of a
    chain that passed, the oldest first. ``author_signed``: the newest signature covers From.
    """

    result: str
    sealers: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    author_signed: bool = False


class _Broken(Exception):
    """The chain fails; the text says why."""


@dataclass(slots=True)
class _Set:
    """What one server added: fields, each with the tags of the two that have some."""

    fields: dict[bytes, bytes]
    tags: dict[bytes, _Tags]
    report: bytes = b""


def chain(lookups: Lookups, fields: Sequence[bytes], body: bytes | None) -> Chain:
    """Check the chain; ``body`` as for DKIM."""
    own = [one for one in fields if wire.name_of(one) in _LIMITS]
    if not own:
        return Chain("none")
    if body is None:
        return Chain("temperror")
    try:
        sets = _sets(own)
        _check_order(sets)
        listed = _check_newest(lookups, fields, body, sets[-1])
        for at in range(len(sets), 0, -1):
            _check_seal(lookups, sets[:at])
    except Unanswered:
        return Chain("temperror")
    except (_Broken, dkim.DKIMException) as error:
        log.info("ARC: %s", error)
        return Chain("fail")
    except Exception as error:
        log.info("ARC: %r", error)
        return Chain("fail")
    return Chain(
        "pass",
        tuple(one.tags[_SEAL][b"d"].decode("ascii", "replace").lower() for one in sets),
        tuple(one.report.decode("utf-8", "replace") for one in sets),
        b"from" in listed,
    )


def _sets(own: Sequence[bytes]) -> list[_Set]:
    """The sets by their number, from 1. Raises _Broken."""
    if len(own) > 3 * _MOST:
        raise _Broken("too many fields")
    found: dict[int, _Set] = {}
    for field in own:
        name = wire.name_of(field)
        if len(field) > _LIMITS[name]:
            raise _Broken("a field that is too long")
        value = field.partition(b":")[2]
        tags: _Tags = {}
        report = b""
        if name == _REPORT:
            begun = _INSTANCE.match(value)
            number, report = (begun[1], begun[2]) if begun else (b"", b"")
        else:
            tags = _tags(value)
            number = tags.get(b"i", b"")
        if not re.fullmatch(rb"[0-9]{1,2}", number):
            raise _Broken("a field without a number")
        one = found.setdefault(int(number), _Set({}, {}))
        if name in one.fields:
            raise _Broken(f"two fields of one kind with the number {int(number)}")
        one.fields[name] = field
        one.tags[name] = tags
        one.report = report or one.report
    if sorted(found) != list(range(1, len(found) + 1)) or len(found) > _MOST:
        raise _Broken("a number is missing")
    if any(len(one.fields) != len(_LIMITS) for one in found.values()):
        raise _Broken("a set is not whole")
    return [found[at] for at in sorted(found)]


def _tags(value: bytes) -> _Tags:
    try:
        found: _Tags = dkim.util.parse_tag_value(b" ".join(value.split()))
    except dkim.util.InvalidTagValueList as error:
        raise _Broken(repr(error)) from error
    return found


def _check_order(sets: Sequence[_Set]) -> None:
    """RFC 8617 §5.2, steps 2 and 3."""
    for at, one in enumerate(sets):
        if one.tags[_SEAL].get(b"cv") != (b"pass" if at else b"none"):
            raise _Broken(f"seal {at + 1} says that the chain before it is no good")


def _check_newest(lookups: Lookups, fields: Sequence[bytes], body: bytes, newest: _Set) -> list[bytes]:
    """The newest message signature; the names that it covers. Raises _Broken, Unanswered, DKIMException."""
    tags = newest.tags[_SIGNATURE]
    _check_tags(tags, _SIGNED_TAGS)
    listed = [one.strip().lower() for one in tags[b"h"].split(b":")]
    if _SEAL in listed:
        raise _Broken("a message signature covers a seal")
    field = newest.fields[_SIGNATURE]
    others = covered([one for one in fields if one is not field], [*listed, b"from"])
    if not _verifies(lookups, tags, field, others, listed, body):
        raise _Broken("the newest message signature does not match")
    return listed


def _check_seal(lookups: Lookups, sets: Sequence[_Set]) -> None:
    """The seal of the last of ``sets``, over all of them. Raises _Broken, Unanswered, DKIMException."""
    newest = sets[-1]
    tags = newest.tags[_SEAL]
    _check_tags(tags, _SEALED_TAGS)
    if b"h" in tags:
        raise _Broken("a seal with h=")
    order = [(one, name) for one in sets for name in (_REPORT, _SIGNATURE, _SEAL)][:-1]
    below = [one.fields[name] for one, name in reversed(order)]
    if not _verifies(lookups, tags, newest.fields[_SEAL], below, [name for _, name in order], b""):
        raise _Broken(f"seal {len(sets)} does not match")


def _check_tags(tags: _Tags, needed: list[bytes]) -> None:
    if tags.get(b"a", b"").decode("ascii", "replace") not in ALGORITHMS:
        raise _Broken("an algorithm that is not known")
    dkim.validate_signature_fields({**tags, b"a": b"rsa-sha256"}, needed, True)
    for one in (b"b", b"bh"):
        if one in tags:
            base64.b64decode(b"".join(tags[one].split()), validate=True)


def _verifies(
    lookups: Lookups, tags: _Tags, field: bytes, others: Sequence[bytes], listed: list[bytes], body: bytes
) -> bool:
    domain, selector, algorithm = (tags[one].decode("ascii") for one in (b"d", b"s", b"a"))
    key = key_of(lookups, KeyUse(domain, selector, algorithm))
    if key is None:
        raise _Broken(f"no key that permits it at {selector}._domainkey.{domain}")
    checker = dkim.ARC()
    checker.headers = [_pair(one) for one in others]
    checker.body = body
    relaxed = {b"c": b"relaxed/relaxed", **tags}
    verified: bool = checker.verify_sig(relaxed, listed, _pair(field), lambda name, timeout=0: key)
    return verified


def _pair(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.partition(b":")
    return name, value
