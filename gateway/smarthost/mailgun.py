"""Mailgun: ``signature`` (HMAC-SHA256 with the webhook signing key) and ``event-data``. It keeps our Message-ID."""

from __future__ import annotations

import hashlib
import hmac
import time
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

_OLD = 86_400  # seconds; it repeats for eight hours what was not answered


def signed(news: Any, secret: str, now: float | None = None) -> bool:
    """Whether the signature is right, and not from another day."""
    stamp, token = text_at(news, "signature", "timestamp"), text_at(news, "signature", "token")
    made = hmac.new(secret.encode(), f"{stamp}{token}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    given = text_at(news, "signature", "signature")
    if not hmac.compare_digest(made.encode(), given.lower().encode("utf-8", "replace")):
        return False
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        return False
    return abs((time.time() if now is None else now) - int(stamp)) < _OLD


def notices(news: Any) -> list[Notice]:
    """The news of one webhook."""
    event = news.get("event-data") if isinstance(news, dict) else None
    report = _report(event)
    ours = angled(text_at(event, "message", "headers", "message-id"))
    return [Notice(ours, None, report)] if report is not None else []


def _report(event: Any) -> Report | None:
    kind, address = text_at(event, "event").lower(), text_at(event, "recipient")
    words = text_at(event, "delivery-status", "message") or text_at(event, "delivery-status", "description")
    if kind == "delivered":
        return deliveries([delivery("delivered", address, "2.0.0", words)])
    if kind == "complained":
        return complaint("abuse", [address])
    if kind == "unsubscribed":
        return complaint("opt-out", [address])
    if kind in ("failed", "rejected"):
        permanent = kind == "rejected" or text_at(event, "severity") != "temporary"
        reason = text_at(event, "reason") or text_at(event, "reject", "reason")
        fallback = "1.1" if reason in ("bounce", "suppress-bounce") else "7.1" if permanent else "4.7"
        enhanced = text_at(event, "delivery-status", "enhanced-code")
        status = failed_status(permanent, fallback, enhanced, words)
        return deliveries([delivery("failed" if permanent else "delayed", address, status, words or reason)])
    return None
