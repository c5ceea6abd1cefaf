"""The message in the events about what was sent: as the API shows it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.message_view import MessageView, event_message, facts_view

_STATUS = {
    "message.sent": "sent",
    "message.delivered": "delivered",
    "message.bounced": "bounced",
    "message.complained": "complained",
    "message.rejected": "rejected",
}

Maybe = str | msgspec.UnsetType


class MessageNews(MessageView, kw_only=True):
    """A message and what became of it; what a type does not have is left out.

    ``recipients``: whom the event is about. ``bounce_type``: Permanent or Transient; ``reason``: why it bounced, was
    complained about or rejected.
    """

    recipients: list[str] | msgspec.UnsetType = msgspec.UNSET
    bounce_type: Maybe = msgspec.UNSET
    reason: Maybe = msgspec.UNSET


def message_news(kind: str, facts: Mapping[str, Any], links: FileLinks) -> MessageNews:
    """``facts``: the payload of an event about a message that was sent."""
    ref = facts["message_ref"]
    message = {**ref, **facts.get("texts", {}), "id": ref["message_id"]}
    message["status"] = _STATUS.get(kind, ref["status"])
    view = facts_view(event_message(message), links)
    return MessageNews(
        **msgspec.structs.asdict(view),
        recipients=_addresses(facts.get("recipients")),
        bounce_type=facts["type"] if kind == "message.bounced" else msgspec.UNSET,
        reason=_reason(kind, facts),
    )


def _addresses(people: list[Any] | None) -> list[str] | msgspec.UnsetType:
    if people is None:
        return msgspec.UNSET
    return [one["address"] if isinstance(one, dict) else one for one in people]


def _reason(kind: str, facts: Mapping[str, Any]) -> Maybe:
    if kind == "message.bounced":
        codes = ", ".join(one["status"] for one in facts["recipients"])
        return f"{facts['sub_type']} ({codes})"
    if kind == "message.complained":
        return str(facts["type"])
    if kind == "message.rejected":
        return str(facts["reason"])
    return msgspec.UNSET
