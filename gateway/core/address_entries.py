"""Entries that mean addresses, as people write them: ``a@x.com``, ``x.com``, ``*.x.com``."""

from __future__ import annotations

import re
from typing import Literal

from gateway.core.errors import Invalid
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

_LOCAL = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}")


def check_entry(entry: str) -> tuple[str, Literal["email", "domain"]]:
    """(entry as it is kept, ``email`` or ``domain``).

    A domain may also be written ``@x.com`` or ``*@x.com``; ``*.x.com`` is it and all below it. Raises Invalid.
    """
    text = spelled(entry)
    local, at, domain = text.rpartition("@")
    below = "" if at or not domain.startswith("*.") else "*."
    domain = domain.removeprefix(below)
    try:
        domain = fold_domain(domain)
    except MailServerError:
        domain = ""
    if not domain or (at and not _LOCAL.fullmatch(local)):
        raise Invalid(
            "entry is neither an address nor a domain",
            field="entry",
            fix="write a@example.com, example.com or *.example.com",
        )
    return (f"{local}@{domain}", "email") if at else (below + domain, "domain")


def spelled(entry: str) -> str:
    """An entry in lower case, a domain without what may stand before it."""
    return entry.strip().lower().removeprefix("*@").removeprefix("@")
