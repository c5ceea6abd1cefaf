"""An event as AgentMail's event JSON: the body of a webhook, the text frame of a WebSocket, a row of /events.

Unlike answers to requests, events carry exactly AgentMail's keys: the official Node SDK refuses a payload with
any other key, and the Python SDK picks its class by which one fits. Keys the SDKs require are always there;
optional ones are left out when empty. ``inbox_id`` is the inbox's address; an event of an older
version may not have it, and then it is ``inb_…``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.api.agentmail.views import attachment_public
from gateway.api.times import iso_of
from gateway.mime.attachment_names import names_of
from gateway.mime.types import Address, Attachment
from gateway.records.event_types import (
    BouncedFacts,
    ComplainedFacts,
    DelayedFacts,
    DeliveredFacts,
    DomainFacts,
    FailedRecipient,
    GuardTrippedFacts,
    MessageFacts,
    OutboundFacts,
    ReceivedFacts,
    RejectedFacts,
    ReviewFacts,
    RiskyFacts,
    SentFacts,
    ThreadFacts,
    ThreadMergedFacts,
    facts_of,
)
from gateway.records.events import Event
from gateway.records.ids import INBOX_ID, MESSAGE_ID, POD_ID, REVIEW_ID, THREAD_ID
from gateway.store.json_columns import dump

MAX_PAYLOAD = 1_000_000
"""Octets of an event's JSON; above it text and html are left out, then the extracted texts, then headers."""

_HEAVY = (("text", "html"), ("extracted_text", "extracted_html"), ("headers",), ("references", "attachments"))
_MAX_INDEX = (1 << 32) - 2


def render(event: Event) -> dict[str, Any] | None:
    """The JSON of an event, or None for a type that AgentMail does not have."""
    show = RENDERERS.get(event.type)
    if show is None:
        return None
    shown = {
        "type": "event",
        "event_type": event.type,
        "event_id": event.public_id,
        **show(facts_of(event)),
    }
    # JSON text of four octets a character at the most: only those that could exceed the limit are measured
    if "message" in shown and len(event.payload_json) > MAX_PAYLOAD // 4:
        for names in _HEAVY:
            if len(dump(shown).encode()) <= MAX_PAYLOAD:
                break
            for name in names:
                shown["message"].pop(name, None)
    return shown


def _received(facts: ReceivedFacts) -> dict[str, Any]:
    inbox_id = facts.inbox.address if facts.inbox else INBOX_ID.public(facts.message.inbox_id)
    shown = {"message": _message(facts.message, inbox_id)}
    return shown if facts.thread is None else {**shown, "thread": _thread(facts.thread, inbox_id)}


def _message(facts: MessageFacts, inbox_id: str) -> dict[str, Any]:
    return _present(
        {
            "inbox_id": inbox_id,
            "thread_id": THREAD_ID.public(facts.thread_id),
            "message_id": MESSAGE_ID.public(facts.id),
            "labels": facts.labels,
            "timestamp": iso_of(facts.timestamp),
            "from": str(facts.from_) if facts.from_ else "",
            "reply_to": _people(facts.reply_to),
            "to": _people(facts.to) or [],
            "cc": _people(facts.cc),
            "bcc": _people(facts.bcc),
            "subject": facts.subject,
            "preview": facts.preview,
            "text": facts.text,
            "html": facts.html,
            "extracted_text": facts.extracted_text,
            "extracted_html": facts.extracted_html,
            "attachments": _attachments(facts.attachments),
            "in_reply_to": facts.in_reply_to,
            "references": facts.references or None,
            "headers": _in_javascript_order(facts.headers),
            "size": facts.size,
            "created_at": iso_of(facts.created_at),
            "updated_at": iso_of(facts.updated_at),
        }
    )


def _thread(facts: ThreadFacts, inbox_id: str) -> dict[str, Any]:
    return _present(
        {
            "inbox_id": inbox_id,
            "thread_id": THREAD_ID.public(facts.id),
            "labels": facts.labels,
            "timestamp": iso_of(facts.timestamp),
            "received_timestamp": _time(facts.received_at),
            "sent_timestamp": _time(facts.sent_at),
            "senders": facts.senders,
            "recipients": facts.recipients,
            "subject": facts.subject,
            "preview": facts.preview,
            "last_message_id": MESSAGE_ID.public(facts.last_message_id),
            "message_count": facts.message_count,
            "size": facts.size,
            "created_at": iso_of(facts.created_at),
            "updated_at": iso_of(facts.updated_at),
        }
    )


def _ids(facts: OutboundFacts) -> dict[str, Any]:
    ref = facts.message_ref
    return {
        "inbox_id": ref.inbox_address or INBOX_ID.public(ref.inbox_id),
        "thread_id": THREAD_ID.public(ref.thread_id),
        "message_id": MESSAGE_ID.public(ref.message_id),
        "timestamp": iso_of(facts.timestamp),
    }


def _sent(facts: SentFacts) -> dict[str, Any]:
    return {"send": {**_ids(facts), "recipients": facts.recipients}}


def _delivered(facts: DeliveredFacts) -> dict[str, Any]:
    return {"delivery": {**_ids(facts), "recipients": facts.recipients}}


def _delayed(facts: DelayedFacts) -> dict[str, Any]:
    trouble = {"recipients": _failed(facts.recipients), "sub_type": facts.sub_type}
    return {"delay": {**_ids(facts), **trouble}}


def _bounced(facts: BouncedFacts) -> dict[str, Any]:
    trouble = {"recipients": _failed(facts.recipients), "type": facts.type, "sub_type": facts.sub_type}
    return {"bounce": {**_ids(facts), **trouble}}


def _complained(facts: ComplainedFacts) -> dict[str, Any]:
    trouble = {"recipients": facts.recipients, "type": facts.type, "sub_type": facts.sub_type}
    return {"complaint": {**_ids(facts), **trouble}}


def _rejected(facts: RejectedFacts) -> dict[str, Any]:
    return {"reject": {**_ids(facts), "reason": facts.reason}}


def _opened(facts: OutboundFacts) -> dict[str, Any]:
    return {"open": _ids(facts)}


def _review(facts: ReviewFacts) -> dict[str, Any]:
    shown = {
        "review_id": REVIEW_ID.public(facts.review_id),
        "reasons": facts.reasons,
        "decided_by": facts.decided_by,
        "reason": facts.reason,
        "expires_at": iso_of(facts.expires_at),
        "edited": bool(facts.edited) or None,
    }
    return {"review": {**_ids(facts), **_present(shown)}}


def _risky(facts: RiskyFacts) -> dict[str, Any]:
    return {"risk": {**_ids(facts), "reasons": facts.reasons}}


def _merged(facts: ThreadMergedFacts) -> dict[str, Any]:
    return {
        "merge": {
            "inbox_id": facts.inbox_address,
            "thread_id": THREAD_ID.public(facts.thread_id),
            "merged_thread_id": THREAD_ID.public(facts.merged_thread_id),
            "message_id": MESSAGE_ID.public(facts.message_id),
            "timestamp": iso_of(facts.timestamp),
        }
    }


def _tripped(facts: GuardTrippedFacts) -> dict[str, Any]:
    return {
        "guard": {
            "inbox_id": facts.inbox_address,
            "thread_id": THREAD_ID.public(facts.thread_id),
            "message_id": MESSAGE_ID.public(facts.message_id),
            "timestamp": iso_of(facts.timestamp),
            "recipients": facts.recipients,
            "rounds": facts.rounds,
            "held_until": iso_of(facts.held_until),
        }
    }


def _domain(facts: DomainFacts) -> dict[str, Any]:
    domain = facts.domain
    shown = _present(
        {
            "pod_id": POD_ID.public(domain.pod_id) if domain.pod_id else None,
            "domain_id": domain.name,
            "domain": domain.name,
            "status": domain.status,
            "feedback_enabled": bool(domain.feedback_enabled),
            "subdomains_enabled": bool(domain.subdomains_enabled),
            "tracking_enabled": False,
            "records": [
                _present(
                    {name: getattr(one, name) for name in ("type", "name", "value", "status", "priority")}
                )
                for one in domain.records
            ],
            "client_id": domain.client_id,
            "created_at": iso_of(domain.created_at),
            "updated_at": iso_of(domain.updated_at),
        }
    )
    return {"domain": shown}


RENDERERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "message.received": _received,
    "message.received.blocked": _received,
    "message.received.spam": _received,
    "message.received.unauthenticated": _received,
    "message.sent": _sent,
    "message.delivered": _delivered,
    "message.delayed": _delayed,
    "message.bounced": _bounced,
    "message.opened": _opened,
    "message.complained": _complained,
    "message.rejected": _rejected,
    "message.held": _review,
    "message.approved": _review,
    "review.rejected": _review,
    "review.expired": _review,
    "message.risky": _risky,
    "thread.merged": _merged,
    "guard.tripped": _tripped,
    "domain.verified": _domain,
}
"""The object of each event type that AgentMail has, under its own key."""


def _failed(people: Sequence[FailedRecipient]) -> list[dict[str, str]]:
    return [{"address": one.address, "status": one.status} for one in people]


def _attachments(attachments: Sequence[Attachment]) -> list[dict[str, Any]] | None:
    if not attachments:
        return None
    return [
        _present(
            {
                "attachment_id": attachment_public(one.id),
                "filename": name,
                "size": one.size,
                "content_type": one.content_type,
                "content_disposition": one.content_disposition,
                "content_id": one.content_id,
            }
        )
        for one, name in zip(attachments, names_of(attachments), strict=True)
    ]


def _in_javascript_order(headers: dict[str, str]) -> dict[str, str]:
    """JSON.parse puts keys that look like array indexes first, in ascending order. A message can have such header
    names, and a receiver that signs ``JSON.stringify(JSON.parse(body))`` must get the octets of the body."""
    numbers = [name for name in headers if _is_index(name)]
    if not numbers:
        return headers
    first = sorted(numbers, key=int)
    return {name: headers[name] for name in [*first, *(one for one in headers if one not in numbers)]}


def _is_index(name: str) -> bool:
    if not (name.isascii() and name.isdigit() and len(name) <= 10):
        return False
    return str(int(name)) == name and int(name) <= _MAX_INDEX


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _time(us: int | None) -> str | None:
    return None if us is None else iso_of(us)


def _people(people: Sequence[Address]) -> list[str] | None:
    return [str(one) for one in people] or None
