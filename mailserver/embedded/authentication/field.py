"""The Authentication-Results field (RFC 8601 §2.2) as we write it: one field, folded, without quotes and comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"[^A-Za-z0-9.@_+=/-]")
_NO_DOMAIN = re.compile(r"[^a-z0-9._-]")
_LONGEST = 255
_LINE = 800  # RFC 5322 §2.1.1 allows 998 octets


def written(authserv_id: str, results: Sequence[str], forged: int = 0) -> bytes:
    """The field with its CRLF; without ``results`` it says ``none``. ``forged``: how many fields that claimed to be
    ours came with the message."""
    said = [*results, *([f"x-forged=removed policy.count={forged}"] if forged else [])]
    lines = ";\r\n\t".join([authserv_id, *(said or ["none"])])
    return f"Authentication-Results: {lines}\r\n".encode("ascii")


def unknown(authserv_id: str, forged: int = 0) -> bytes:
    """The field of mail that could not be checked in time."""
    return written(authserv_id, ["spf=temperror", "dkim=temperror", "dmarc=temperror"], forged)


def stated(method: str, result: str, **properties: str | None) -> str:
    """One result; ``header_d`` is the property ``header.d``. Those without a value are left out."""
    given = [
        f"{name.replace('_', '.')}={value if name == 'policy_chain' else _safe(value)}"
        for name, value in properties.items()
        if value
    ]
    return " ".join([f"{method}={result}", *given])


def chained(domains: Sequence[str]) -> str:
    """Domains as one value, the oldest first: ``a.example+b.example``. Of many the newest, as they go into a line."""
    kept: list[str] = []
    for one in reversed(domains):
        kept.append(_NO_DOMAIN.sub("?", one)[:_LONGEST])
        if len("+".join(kept)) > _LINE:
            kept.pop()
            break
    return "+".join(reversed(kept))


def _safe(value: str) -> str:
    """A value that cannot end its token (RFC 8601 §2.2)."""
    return _TOKEN.sub("?", value)[:_LONGEST]
