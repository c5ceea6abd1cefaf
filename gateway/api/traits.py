"""What a message is, and what could not be read of it, as dialects with snake_case names show it."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.api.calendar_view import CalendarEventView, calendar_view
from gateway.api.trust import TrustView, trust_view
from gateway.mime.types import HiddenText, Risk
from gateway.records.event_types import MessageFacts
from gateway.records.mail import MessageItem


class TraitsView(msgspec.Struct, kw_only=True):
    """``auto_submitted``: a program sent it, or it is marked as sent to many. ``bulk``: it is so marked, or comes from
    a mailing list; ``list_id`` names that. ``defects``: what could not be read, in words. ``unlisted_attachments``: how
    many are only in the raw message, because it has more than are listed. ``trust``: null for what the inbox sent.
    ``hidden_text``: what people do not see of it and no text has; null when nothing was left out.
    ``risk``: how much reads like an instruction to a machine.
    """

    auto_submitted: bool = False
    bulk: bool = False
    list_id: str | None = None
    defects: list[str] = []
    unlisted_attachments: int = 0
    calendar: list[CalendarEventView] = []
    trust: TrustView | None = None
    hidden_text: HiddenText | None = None
    risk: Risk = Risk()


def traits_view(message: MessageItem | MessageFacts) -> dict[str, Any]:
    """The fields of ``TraitsView``, of a message in the index or of an event's."""
    traits = message.traits
    return {
        "auto_submitted": bool(message.auto_submitted),
        "bulk": traits.bulk,
        "list_id": traits.list_id,
        "defects": message.defects,
        "unlisted_attachments": traits.unlisted_attachments,
        "calendar": calendar_view(traits.calendar),
        "trust": trust_view(message),
        "hidden_text": traits.hidden,
        "risk": traits.risk,
    }
