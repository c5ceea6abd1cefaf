"""What a message is, beside who wrote what to whom (``mime.types.Traits``)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.mime.category import category_of
from gateway.mime.headers import Head
from gateway.mime.hidden_text import Hidden
from gateway.mime.limits import Limits
from gateway.mime.spam_marks import read_spam_marks
from gateway.mime.types import CalendarEvent, HiddenText, Report, Risk, Traits

_ANGLES = re.compile(r"<([^<>]*)>[^<>]*\Z")
_BULK = frozenset({"bulk", "junk", "list"})
_LIST_FIELDS = frozenset({"list-id", "list-post", "list-unsubscribe"})
_NOTHING = Hidden()
_NO_RISK = Risk()
_LONGEST_LIST_ID = 255  # octets (RFC 2919 §6)


def read_traits(
    head: Head,
    *,
    sender: str | None,
    attachments: int,
    limits: Limits,
    report: Report | None = None,
    events: Sequence[CalendarEvent] = (),
    hidden: Hidden = _NOTHING,
    risk: Risk = _NO_RISK,
) -> Traits:
    """The traits of a message from ``sender`` with this header block, this many ``attachments``, this ``report``,
    these calendar ``events`` this ``hidden`` text and this ``risk``."""
    marks = read_spam_marks(head)
    names = {name.lower() for name, _ in head.fields}
    return Traits(
        list_id=_list_id(head.first("list-id")) if "list-id" in names else None,
        bulk=not names.isdisjoint(_LIST_FIELDS) or head.text("precedence").strip().lower() in _BULK,
        unlisted_attachments=max(0, attachments - limits.attachments),
        calendar=list(events),
        category=category_of(head, sender, report),
        spam_score=marks.score,
        spam=marks.spam,
        malware=marks.malware,
        hidden=HiddenText(characters=hidden.characters, forms=list(hidden.forms))
        if hidden.characters
        else None,
        risk=risk,
    )


def _list_id(value: str) -> str | None:
    """The identifier of a List-Id (RFC 2919 §3): in angle brackets, after a description; some write it bare."""
    found = _ANGLES.search(value)
    identifier = (found[1] if found else value).strip()
    return identifier if identifier and len(identifier.encode()) <= _LONGEST_LIST_ID else None
