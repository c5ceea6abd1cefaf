"""What our own mail server found about a message (RFC 8601), read by authres behind guards.

Only fields above our own topmost Received count, only those with our authserv-id, at most 16 KiB: whatever
is lower was written by a stranger. authres is strict and quadratic on long comments, hence the caps.
"""

from __future__ import annotations

import re
from functools import lru_cache

import authres
import msgspec
from authres.core import AuthResError

from gateway.mime.auth_details import Result, details_of, read_results
from gateway.mime.headers import Head, split_head, unfold
from gateway.mime.types import AuthVerdict

_CAP = 16 * 1024
_COMMENT = re.compile(r"\([^()]*\)")


def verdict(raw: bytes, authserv_id: str) -> AuthVerdict:
    """SPF, DKIM and DMARC results of the mail server called ``authserv_id``; ``none`` where it said nothing."""
    return verdict_from_head(split_head(raw), authserv_id)


def verdict_from_head(head: Head, authserv_id: str) -> AuthVerdict:
    """As ``verdict``, from a header block already split. ``unknown`` where our own field cannot be parsed."""
    found: dict[str, str] = {}
    details: list[Result] = []
    for name, value in head.fields[:200]:
        lowered = name.lower()
        if lowered == "received":
            break
        if lowered != "authentication-results":
            continue
        text = unfold(value, _CAP + 1).strip()
        if text.split(";")[0].split("/")[0].split()[:1] != [authserv_id] and (
            text.split(";")[0].strip().lower().split(" ")[0] != authserv_id.lower()
        ):
            continue
        if len(text) > _CAP:
            return AuthVerdict(spf="unknown", dkim="unknown", dmarc="unknown")
        for method, result in _results(text):
            if method in ("spf", "dkim", "dmarc"):
                found[method] = _better(found.get(method), result, method)
        details += read_results(_without_comments(text))
    return msgspec.structs.replace(
        details_of(details),
        spf=found.get("spf", "none"),
        dkim=found.get("dkim", "none"),
        dmarc=found.get("dmarc", "none"),
    )


def results_above_received(head: Head) -> dict[str, str]:
    """Results by method (``spf``, ``dkim``, ``dmarc``) of the fields above the topmost Received, whoever wrote them.

    Those are our mail server's under any name it ever had, so that they say the same after it was renamed.
    """
    found: dict[str, str] = {}
    for name, value in head.fields[:200]:
        lowered = name.lower()
        if lowered == "received":
            break
        if lowered == "authentication-results":
            text = unfold(value, _CAP + 1).strip()
            for method, result in _results(text) if len(text) <= _CAP else ():
                found[method] = _better(found.get(method), result, method)
    return found


def _better(old: str | None, new: str, method: str) -> str:
    """One passing DKIM signature is enough (RFC 6376 §6.1); for the others the first result stands."""
    if old is None or (method == "dkim" and new == "pass"):
        return new
    return old


@lru_cache(maxsize=16)  # a message's field is asked for twice: for its verdict and for its fingerprint
def _results(text: str) -> list[tuple[str, str]]:
    text = _without_comments(text)
    try:
        parsed = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    except (AuthResError, SyntaxError, RecursionError, ValueError, IndexError, AttributeError, TypeError):
        return _plain(text)
    return [(str(r.method).lower(), str(r.result).lower()) for r in parsed.results]


def _without_comments(text: str) -> str:
    """Comments say nothing we use and are what authres is slow and recursive on."""
    for _ in range(3):
        text = _COMMENT.sub(" ", text)
    return text.rstrip("; \t")


_RESULT = re.compile(r";\s{0,5}(spf|dkim|dmarc)\s{0,5}=\s{0,5}([a-z]{1,20})", re.I)


def _plain(text: str) -> list[tuple[str, str]]:
    """``method=result`` after each semicolon: our own server's field, which authres is too strict for."""
    if "(" in text or '"' in text:
        return [("spf", "unknown"), ("dkim", "unknown"), ("dmarc", "unknown")]
    return [(m[1].lower(), m[2].lower()) for m in _RESULT.finditer(text)]
