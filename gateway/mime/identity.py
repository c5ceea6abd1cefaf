"""What makes a message the same message: digests that travel with it (DESIGN §1.2).

``identity`` covers the eight fields that every copy of a mail repeats, and the body. Whoever knows a mail can write
another with the same identity: other Reply-To, other Content-Type, failing DMARC. So a received message is recognised
by its ``fingerprint``: every header field but those that mail servers add on the way, the verdict of our own server,
and the body. A sender that repeats the same octets repeats both.
"""

from __future__ import annotations

import hashlib
import re

from gateway.mime.auth_results import results_above_received
from gateway.mime.headers import Head, split_fields

_IDENTITY = ("from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references")
_ON_THE_WAY = re.compile(
    r"received|return-path|delivered-to|envelope-to|x-original-to|received-spf|dkim-filter|dmarc-filter|x-greylist"
    r"|x-spam.*|x-rspam.*|x-ham.*|x-virus.*|x-amavis.*",
    re.IGNORECASE,
)
"""Fields that differ between two deliveries of the same octets: trace fields (RFC 5321 §4.4) and filters' reports."""
_MANY = 100_000


def message_identity(raw: bytes, head: Head) -> str:
    """Hex SHA-256 over eight header fields (raw, white space normalised) and the raw body.

    Line ends are normalised to LF, and NUL to 0x80 as Dovecot does (NUL may not stand in an IMAP literal), so that
    a message is the same before and after it was stored.
    """
    digest = hashlib.sha256()
    wanted: dict[str, list[bytes]] = {name: [] for name in _IDENTITY}
    for field, value in head.fields:
        values = wanted.get(field.lower())
        if values is not None:
            values.append(b" ".join(value.split()))
    for name in _IDENTITY:
        for value in wanted[name]:
            digest.update(name.encode() + b":" + value + b"\n")
    digest.update(b"\n")
    body = raw[head.body_start :].replace(b"\r\n", b"\n")
    digest.update(body.replace(b"\0", b"\x80") if b"\0" in body else body)
    return digest.hexdigest()


def message_fingerprint(raw: bytes, head: Head, identity: str) -> str:
    """Hex SHA-256 over ``identity``, every field that was not added on the way, and what our server found.

    Our server's Authentication-Results stand above the topmost Received (RFC 8601 §5) and count by their results:
    SPF and DMARC passed, failed or neither. DKIM's result follows from the octets.
    """
    fields = head.fields
    if head.truncated:
        fields, _ = split_fields(raw[: head.body_start], _MANY)
    digest = hashlib.sha256(identity.encode())
    ours = True
    for field, value in fields:
        name = field.lower()
        if name == "received":
            ours = False
        if _ON_THE_WAY.fullmatch(name) or (ours and name == "authentication-results"):
            continue
        clean = b" ".join(value.split())
        digest.update(b"%s:%s\n" % (name.encode(), clean.replace(b"\0", b"\x80")))
    found = results_above_received(head)
    digest.update(f"\n{_class(found.get('dmarc'))}/{_class(found.get('spf'))}".encode())
    return digest.hexdigest()


def _class(result: str | None) -> str:
    if result == "pass":
        return "pass"
    return "fail" if result in ("fail", "softfail") else ""
