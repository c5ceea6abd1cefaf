"""Postmark: one JSON object a webhook, ``RecordType`` says of what. Our Message-ID is in its metadata."""

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

_STATUS = {
    "HardBounce": (True, "1.1"),
    "BadEmailAddress": (True, "1.3"),
    "ManuallyDeactivated": (True, "7.1"),
    "Blocked": (True, "7.1"),
    "SpamNotification": (True, "7.1"),
    "DMARCPolicy": (True, "7.1"),
    "TemplateRenderingFailed": (True, "6.0"),
    "SoftBounce": (False, "2.0"),
    "DnsError": (False, "4.3"),
    "Transient": (False, "4.7"),
    "SMTPApiError": (True, "0.0"),
}
"""Kinds of bounce: whether it is for good, and subject and detail of the status where its words hold none."""

_DELAYED = frozenset({"Transient"})
_NO_BOUNCE = frozenset(
    {"AutoResponder", "AddressChange", "Subscribe", "ChallengeVerification", "OpenRelayTest"}
)


def notices(news: Any) -> list[Notice]:
    """The news of one webhook."""
    report = _report(news)
    ours = angled(text_at(news, "Metadata", "postern"))
    return [Notice(ours, None, report)] if report is not None else []


def _report(news: Any) -> Report | None:
    kind = text_at(news, "RecordType")
    if kind == "Delivery":
        person = delivery("delivered", text_at(news, "Recipient"), "2.0.0", text_at(news, "Details"))
        return deliveries([person])
    if kind == "SpamComplaint":
        return complaint("abuse", [text_at(news, "Email")])
    if kind == "SubscriptionChange" and news.get("SuppressSending") is True:
        reason = text_at(news, "SuppressionReason")
        if reason == "ManualSuppression":
            return complaint("opt-out", [text_at(news, "Recipient")])
    if kind == "Bounce":
        return _bounce(news)
    return None


def _bounce(news: Any) -> Report | None:
    kind = text_at(news, "Type")
    if kind in ("SpamComplaint", "Unsubscribe"):
        return complaint("abuse" if kind == "SpamComplaint" else "opt-out", [text_at(news, "Email")])
    if kind in _NO_BOUNCE:
        return None
    permanent, detail = _STATUS.get(kind, (False, "0.0"))
    words = text_at(news, "Details") or text_at(news, "Description")
    status = failed_status(permanent, detail, words)
    return deliveries(
        [delivery("delayed" if kind in _DELAYED else "failed", text_at(news, "Email"), status, words)]
    )
