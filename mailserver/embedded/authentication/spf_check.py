"""SPF (RFC 7208), by pyspf."""

from __future__ import annotations

import logging
import threading
from typing import Any

import spf

from mailserver.embedded.authentication.lookups import Lookups, Unanswered

log = logging.getLogger(__name__)

_RESULTS = frozenset({"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"})
_asking = threading.local()


def sender_result(lookups: Lookups, peer: str, helo: str, mail_from: str) -> tuple[str, str | None]:
    """The result for the envelope sender, or for ``helo`` when that is empty, and the domain it is about."""
    _asking.lookups = lookups
    try:
        query = spf.query(i=peer, s=mail_from, h=helo, strict=True, timeout=5, querytime=6)
        found = str(query.check()[0])
        domain = (mail_from or helo).rpartition("@")[2].lower()
    except Exception as error:  # hostile names reach deep into the library
        log.info("SPF: %r", error)
        return "permerror", None
    finally:
        _asking.lookups = None
    return (found if found in _RESULTS else "none"), domain


def _lookup(name: str, kind: str, tcpfallback: bool = True, timeout: float = 30) -> list[Any]:  # noqa: ARG001
    """pyspf's way to ask, asking for the message whose thread this is."""
    try:
        answer = _asking.lookups.answer(str(name), kind)
    except Unanswered as error:
        raise spf.TempError(f"DNS {error}") from error
    key = (name, kind)
    if kind in ("A", "AAAA"):
        return [(key, one.address) for one in answer or ()]
    if kind == "MX":
        return [(key, (one.preference, one.exchange.to_text(omit_final_dot=True))) for one in answer or ()]
    if kind == "PTR":
        return [(key, one.target.to_text(omit_final_dot=True)) for one in answer or ()]
    return [(key, one.strings) for one in answer or ()]


spf.DNSLookup = _lookup  # the library offers no other way in
