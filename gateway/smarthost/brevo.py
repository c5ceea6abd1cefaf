"""Brevo: one JSON object an event (or a list of them). Our Message-ID is in the field it hands through."""

from __future__ import annotations

from typing import Any

from gateway.mime.types import Report
from gateway.smarthost.notice import (
    Notice,
    angled,
    complaint,
    deliveries,
    delivery,
    failed_status,
    text_at,
)

_MARK = "postern:"
_FAILURES = {
    "hard_bounce": (True, "1.1"),
    "soft_bounce": (False, "2.0"),
    "invalid_email": (True, "1.3"),
    "invalid": (True, "1.3"),
    "blocked": (True, "7.1"),
    "error": (True, "0.0"),
}


def notices(news: Any) -> list[Notice]:
    """The news of one webhook."""
    found = []
    for one in news[:500] if isinstance(news, list) else [news]:
        report = _report(one)
        if report is not None:
            custom = text_at(one, "X-Mailin-custom")
            ours = angled(custom.removeprefix(_MARK)) if custom.startswith(_MARK) else None
            found.append(Notice(ours, angled(text_at(one, "message-id")), report))
    return found


def _report(news: Any) -> Report | None:
    kind, address = text_at(news, "event").lower(), text_at(news, "email")
    words = text_at(news, "reason")
    if kind == "delivered":
        return deliveries([delivery("delivered", address, "2.0.0")])
    if kind in ("spam", "complaint"):
        return complaint("abuse", [address])
    if kind == "unsubscribed":
        return complaint("opt-out", [address])
    if kind == "deferred":
        return deliveries([delivery("delayed", address, failed_status(False, "4.7", words), words)])
    if kind in _FAILURES:
        permanent, detail = _FAILURES[kind]
        return deliveries([delivery("failed", address, failed_status(permanent, detail, words), words)])
    if kind == "request":  # it was taken; gives Brevo's name for it
        return deliveries([])
    return None
