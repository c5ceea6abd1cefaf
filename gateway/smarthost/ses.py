"""Amazon SES: what it publishes to an SNS topic, as event publishing (``eventType``) and as identity notifications
(``notificationType``)."""

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
    items_at,
    text_at,
)

_NOBODY = frozenset({"NoEmail", "Suppressed", "OnAccountSuppressionList"})


def notices(news: Any) -> list[Notice]:
    """The news in the ``Message`` of a notification. What says nothing of a delivery gives none."""
    report = _report(news)
    if report is None:
        return []
    return [Notice(_ours(news), text_at(news, "mail", "messageId") or None, report)]


def _report(news: Any) -> Report | None:
    kind = (text_at(news, "eventType") or text_at(news, "notificationType")).lower()
    if kind == "bounce":
        return _bounce(news)
    if kind == "complaint":
        people = [text_at(one, "emailAddress") for one in items_at(news, "complaint", "complainedRecipients")]
        return complaint(text_at(news, "complaint", "complaintFeedbackType") or "abuse", people)
    if kind == "delivery":
        words = text_at(news, "delivery", "smtpResponse")
        people = [one for one in items_at(news, "delivery", "recipients") if isinstance(one, str)]
        return deliveries([delivery("delivered", one, "2.0.0", words) for one in people])
    if kind == "deliverydelay":
        delays = items_at(news, "deliveryDelay", "delayedRecipients")
        return deliveries([_late(one) for one in delays])
    if kind in ("reject", "rendering failure"):
        words = text_at(news, "reject", "reason") or "refused by Amazon SES"
        people = [one for one in items_at(news, "mail", "destination") if isinstance(one, str)]
        return deliveries([delivery("failed", one, "5.7.1", words) for one in people])
    return None


def _bounce(news: Any) -> Report:
    permanent = text_at(news, "bounce", "bounceType") != "Transient"
    nobody = text_at(news, "bounce", "bounceSubType") in _NOBODY
    found = []
    for one in items_at(news, "bounce", "bouncedRecipients"):
        words = text_at(one, "diagnosticCode")
        status = failed_status(permanent, "1.1" if nobody else "0.0", text_at(one, "status"), words)
        found.append(delivery("failed", text_at(one, "emailAddress"), status, words))
    return deliveries(found)


def _late(one: Any) -> Any:
    words = text_at(one, "diagnosticCode")
    return delivery(
        "delayed", text_at(one, "emailAddress"), failed_status(False, "4.7", text_at(one, "status")), words
    )


def _ours(news: Any) -> str | None:
    """The Message-ID we gave it: SES repeats the original header fields."""
    for one in items_at(news, "mail", "headers"):
        if text_at(one, "name").lower() == "message-id":
            return angled(text_at(one, "value"))
    return None
