"""Whom a forwarded message may be believed for, though DMARC does not pass (RFC 8617 §7.2.1)."""

from __future__ import annotations

from collections.abc import Collection

from mailserver.embedded.authentication.arc import Chain
from mailserver.embedded.authentication.dmarc import Evaluation, Identifier, alignment
from mailserver.embedded.authentication.lookups import Lookups
from mailserver.embedded.authentication.reports import Statement, statements


def rescuer(lookups: Lookups, chain: Chain, trusted: Collection[str], evaluation: Evaluation) -> str:
    """The newest sealer's domain when it is trusted and a trusted server saw the author proven; else empty.

    A seal vouches for what its own server saw and for the chain below being whole, not for what others claim in it. So
    the servers that are believed are the newest one and those below it, as far as all are trusted.
    """
    if chain.result != "pass" or not chain.author_signed:
        return ""
    for sealer, report in zip(reversed(chain.sealers), reversed(chain.reports), strict=True):
        if not _is_trusted(sealer, trusted):
            break
        if _proven(lookups, statements(report), evaluation):
            return chain.sealers[-1]
    return ""


def _is_trusted(domain: str, trusted: Collection[str]) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in trusted)


def _proven(lookups: Lookups, said: list[Statement], evaluation: Evaluation) -> bool:
    judged = [one for one in said if one.method == "dmarc"]
    if any(one.result == "pass" for one in judged):
        return all(one.properties.get("header.from") == evaluation.author for one in judged)
    if any(one.result == "fail" for one in judged):
        return False
    identifiers = [one for one in map(_identifier, said) if one is not None]
    aligned = [alignment(lookups, evaluation.author, one.domain) for one in identifiers]
    return evaluation.proves(identifiers, aligned)


def _identifier(one: Statement) -> Identifier | None:
    if one.result != "pass":
        return None
    if one.method == "spf":
        named = one.properties.get("smtp.mailfrom", "")
        return Identifier("pass", named.rpartition("@")[2], "aspf") if named else None
    if one.method == "dkim":
        named = one.properties.get("header.d") or one.properties.get("header.i", "").rpartition("@")[2]
        return Identifier("pass", named, "adkim") if named else None
    return None
