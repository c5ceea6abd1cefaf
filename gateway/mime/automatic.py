"""Whether a program wrote a mail, or it is marked as sent to many: an automatic answer to it may begin a loop."""

from __future__ import annotations

import re

from gateway.mime.headers import Head

_PRECEDENCE = frozenset({"bulk", "junk", "list", "auto_reply"})
_ANSWERS = frozenset(
    {"x-autoreply", "x-autorespond", "x-autoresponse", "x-mail-autoreply", "x-autoreply-from"}
)
_NO_ANSWER = frozenset({"all", "oof", "autoreply"})  # of X-Auto-Response-Suppress (MS-OXCMAIL 2.1.3.2.21)
_PROGRAMS = re.compile(
    r"(?:no|do-?not|never)-?(?:reply|respond|answer)|mailer-?daemon|postmaster|bounces?|notifications?|alerts?"
)
_PUNCTUATION = re.compile(r"[._ ]")


def is_automatic(head: Head) -> bool:
    """Whether the header block says so: RFC 3834 §5, Precedence, an empty return path, and what programs add."""
    auto_submitted = head.text("auto-submitted").partition(";")[0].strip().lower()
    if auto_submitted not in ("", "no") or head.text("return-path").strip() == "<>":
        return True
    if head.text("precedence").strip().lower() in _PRECEDENCE:
        return True
    unwanted = {one.strip() for one in head.text("x-auto-response-suppress").lower().split(",")}
    return not unwanted.isdisjoint(_NO_ANSWER) or any(
        name.lower() in _ANSWERS and value.strip().lower() != b"no" for name, value in head.fields
    )


def is_programs_address(email: str) -> bool:
    """Whether an address is one that nobody reads or a person writes from: no-reply@, mailer-daemon@, alerts@ …"""
    local = _PUNCTUATION.sub("-", email.rpartition("@")[0].lower().partition("+")[0])
    return (
        _PROGRAMS.fullmatch(local) is not None
        or local.startswith(("noreply-", "no-reply-"))
        or (local.endswith(("-noreply", "-no-reply")))
    )
