"""Internationalised addresses (RFC 6531) for a next hop that knows none, as Dovecot's LMTP: in ASCII, without loss."""

from __future__ import annotations

import re

from mailserver.addresses import fold_domain, stored_local, unescaped
from mailserver.base import MailServerError

_QUOTED = re.compile(r'"(.*)"', re.S)
_ESCAPED = re.compile(r"[^\x20-\x5b\x5d-\x7e]")  # a backslash too, so that it can be read back (RFC 6533 §3)


def with_ascii_domain(address: str) -> str:
    """``address`` with its domain in A-labels, where it has such a form; the part before the @ is left as it is."""
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}{at}{_a_labels(domain)}"


def ascii_sender(address: str) -> str:
    """An envelope sender in ASCII: its domain in A-labels, its local part as RFC 6533 §3 writes one in a report
    (``jörg@x`` is ``"j\\\\x{F6}rg"@x``). ASCII is left as it is.

    Raises MailServerError when its domain has no ASCII form.
    """
    address = with_ascii_domain(address)
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    if not domain.isascii():
        raise MailServerError(f"not a domain: {domain!r}")
    quoted = _QUOTED.fullmatch(local)
    text = unescaped(quoted[1]) if quoted else local
    return stored_local(_ESCAPED.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", text)) + at + domain


def _a_labels(domain: str) -> str:
    """``domain`` in A-labels (RFC 5891), or as RFC 3490 made them, which some names still have; else as it is."""
    try:
        return fold_domain(domain)
    except MailServerError:
        pass
    try:
        return domain.lower().encode("idna").decode()
    except UnicodeError:
        return domain
