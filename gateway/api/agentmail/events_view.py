"""An event as AgentMail's event JSON: the body of a webhook, the text frame of a WebSocket, a row of /events.

Unlike answers to requests, events carry exactly AgentMail's keys: the official Node SDK refuses a payload with
any other key, and the Python SDK picks its class by which one fits. Keys the SDKs require are always there;
optional ones are left out when there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.api.agentmail.views import attachment_public
from gateway.api.times import iso_of
from gateway.mime.types import Address
from gateway.records.events import Event
from gateway.store.json_columns import dump, load

MAX_PAYLOAD = 1_000_000
"""Octets of an event's JSON; text and html are left out above it, then the quoteless copies, then headers."""

_HEAVY = (("text", "html"), ("extracted_text", "extracted_html"), ("headers",), ("references", "attachments"))
_MAX_INDEX = (1 << 32) - 2


def render(event: Event) -> dict[str, Any] | None:
    """The JSON of an event; None for a type that AgentMail does not have."""
    kind = event.type
    if kind != "message.received" and not kind.startswith("message.received."):
        name, show = _OTHERS.get(kind, (None, None))
        if name is None or show is None:
            return None
        return _frame(event, {name: show(load(event.payload_json))})
    facts = load(event.payload_json)
    message = _message(facts["message"])
    shown = _frame(event, {"message": message, "thread": _thread(facts["thread"])})
    # JSON text of four octets a character at the most: measuring is for the few that could be over
    if len(event.payload_json) > MAX_PAYLOAD // 4:
        for names in _HEAVY:
            if len(dump(shown).encode()) <= MAX_PAYLOAD:
                break
            for name in names:
                message.pop(name, None)
    return shown


def _frame(event: Event, content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "event", "event_type": event.type, "event_id": event.public_id, **content}


def _message(facts: Mapping[str, Any]) -> dict[str, Any]:
    return _present(
        {
            "inbox_id": f"inb_{facts['inbox_id']}",
            "thread_id": f"thr_{facts['thread_id']}",
            "message_id": f"msg_{facts['id']}",
            "labels": facts["labels"],
            "timestamp": iso_of(facts["timestamp"]),
            "from": _person(facts["from"]) if facts["from"] else "",
            "reply_to": _people(facts["reply_to"]),
            "to": _people(facts["to"]) or [],
            "cc": _people(facts["cc"]),
            "bcc": _people(facts["bcc"]),
            "subject": facts["subject"],
            "preview": facts["preview"],
            "text": facts["text"],
            "html": facts["html"],
            "extracted_text": facts["extracted_text"],
            "extracted_html": facts["extracted_html"],
            "attachments": _attachments(facts["attachments"]),
            "in_reply_to": facts["in_reply_to"],
            "references": facts["references"] or None,
            "headers": _in_javascript_order(facts["headers"]),
            "size": facts["size"],
            "created_at": iso_of(facts["created_at"]),
            "updated_at": iso_of(facts["updated_at"]),
        }
    )


def _thread(facts: Mapping[str, Any]) -> dict[str, Any]:
    return _present(
        {
            "inbox_id": f"inb_{facts['inbox_id']}",
            "thread_id": f"thr_{facts['id']}",
            "labels": facts["labels"],
            "timestamp": iso_of(facts["timestamp"]),
            "received_timestamp": _time(facts["received_at"]),
            "sent_timestamp": _time(facts["sent_at"]),
            "senders": facts["senders"],
            "recipients": facts["recipients"],
            "subject": facts["subject"],
            "preview": facts["preview"],
            "attachments": _attachments(facts.get("attachments")),
            "last_message_id": f"msg_{facts['last_message_id']}",
            "message_count": facts["message_count"],
            "size": facts["size"],
            "created_at": iso_of(facts["created_at"]),
            "updated_at": iso_of(facts["updated_at"]),
        }
    )


def _ids(facts: Mapping[str, Any]) -> dict[str, Any]:
    ref = facts["message_ref"]
    return {
        "inbox_id": f"inb_{ref['inbox_id']}",
        "thread_id": f"thr_{ref['thread_id']}",
        "message_id": f"msg_{ref['message_id']}",
        "timestamp": iso_of(facts["timestamp"]),
    }


def _to_people(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**_ids(facts), "recipients": facts["recipients"]}


def _trouble(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**_to_people(facts), "type": facts["type"], "sub_type": facts["sub_type"]}


def _reject(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**_ids(facts), "reason": facts["reason"]}


def _domain(facts: Mapping[str, Any]) -> dict[str, Any]:
    row = facts["domain"]
    return _present(
        {
            "pod_id": f"pod_{row['pod_id']}" if row["pod_id"] else None,
            "domain_id": row["name"],
            "domain": row["name"],
            "status": row["status"],
            "feedback_enabled": bool(row["feedback_enabled"]),
            "subdomains_enabled": bool(row["subdomains_enabled"]),
            "tracking_enabled": False,
            "records": [
                _present({name: one.get(name) for name in ("type", "name", "value", "status", "priority")})
                for one in row["records"]
            ],
            "client_id": row["client_id"],
            "created_at": iso_of(row["created_at"]),
            "updated_at": iso_of(row["updated_at"]),
        }
    )


_OTHERS: dict[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "message.sent": ("send", _to_people),
    "message.delivered": ("delivery", _to_people),
    "message.bounced": ("bounce", _trouble),
    "message.complained": ("complaint", _trouble),
    "message.rejected": ("reject", _reject),
    "message.opened": ("open", _ids),
    "domain.verified": ("domain", _domain),
}


def _attachments(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    if not entries:
        return None
    return [
        _present(
            {
                "attachment_id": attachment_public(one["id"]),
                "filename": one["filename"],
                "size": one["size"],
                "content_type": one["content_type"],
                "content_disposition": one["content_disposition"],
                "content_id": one["content_id"],
            }
        )
        for one in entries
    ]


def _in_javascript_order(headers: dict[str, str]) -> dict[str, str]:
    """JSON.parse puts keys that look like array indexes first, in ascending order. A mail can name its headers so,
    and a receiver that signs ``JSON.stringify(JSON.parse(body))`` must find the body's own octets."""
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


def _person(pair: list[str | None]) -> str:
    name, email = pair
    return str(Address(name or "", email or ""))


def _people(pairs: list[list[str | None]]) -> list[str] | None:
    return [_person(one) for one in pairs] or None
