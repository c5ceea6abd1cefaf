"""Which headers a caller may set, and the rules of a subject. Every refusal names the field."""

from __future__ import annotations

import re

_NAME = re.compile(r"[!-9;-~]{1,76}\Z")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_RESERVED = frozenset(
    [
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "dkim-signature",
        "received",
        "return-path",
        "sender",
        "authentication-results",
        "authentication-results-original",
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "delivered-to",
        "x-original-to",
        "envelope-to",
        "received-spf",
        "domainkey-signature",
        "reply-to",
        "in-reply-to",
        "references",
        "disposition-notification-to",
        "apparently-to",
        "errors-to",
    ]
)
_RESERVED_PREFIXES = ("content-", "resent-", "x-postern-", "arc-")
MAX_HEADERS = 50
MAX_VALUE = 2000
MAX_TOTAL = 16 * 1024
MAX_SUBJECT = 998


class InvalidHeader(ValueError):
    """A header cannot be sent as given. ``field`` is the name of the offending field."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """The caller's own headers, checked. Allowed: everything but what the gateway itself writes or signs.

    ``X-*``, ``List-*``, ``Auto-Submitted``, ``Precedence``, ``Importance``, ``Priority``, ``Feedback-ID`` and the
    like are free. Threading and reply fields have parameters of their own.

    Raises:
        InvalidHeader: bad name, reserved name, control characters or line breaks in a value, too long, too many.
    """
    if len(headers) > MAX_HEADERS:
        raise InvalidHeader("headers", f"more than {MAX_HEADERS} headers")
    seen: set[str] = set()
    total = 0
    for name, value in headers.items():
        check_header(name, value)
        if name.lower() in seen:
            raise InvalidHeader(name, "is given twice")
        seen.add(name.lower())
        total += len(name) + len(value.encode())
    if total > MAX_TOTAL:
        raise InvalidHeader("headers", f"longer than {MAX_TOTAL} octets together")
    return {name: " ".join(value.split()) for name, value in headers.items()}


def check_header(name: str, value: str) -> None:
    """One header. Raises InvalidHeader as ``check_headers`` does."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise InvalidHeader(repr(name)[:80], "is not a header name (RFC 5322 §2.2)")
    lowered = name.lower()
    if lowered in _RESERVED or lowered.startswith(_RESERVED_PREFIXES):
        raise InvalidHeader(name, "is set by the gateway and cannot be given")
    if not isinstance(value, str):
        raise InvalidHeader(name, "is not text")
    if found := _BREAKS.search(value):
        raise InvalidHeader(name, f"holds U+{ord(found[0]):04X}: no line breaks or control characters")
    if len(value) > MAX_VALUE:
        raise InvalidHeader(name, f"is longer than {MAX_VALUE} characters")
    if not value.strip():
        raise InvalidHeader(name, "is empty")


def check_subject(subject: str) -> str:
    """A subject as it is sent: stripped. Raises InvalidHeader for line breaks, controls, over 998 characters."""
    if found := _BREAKS.search(subject):
        raise InvalidHeader("subject", f"holds U+{ord(found[0]):04X}: no line breaks or control characters")
    if len(subject) > MAX_SUBJECT:
        raise InvalidHeader("subject", f"is longer than {MAX_SUBJECT} characters")
    return subject.strip()
