"""Webhooks and the attempts to post to them as MailboxKit shows them (contract, "Webhooks")."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gateway.api.mailboxkit.events_view import EventView
from gateway.api.mailboxkit.listing import shown_time
from gateway.api.times import to_seconds
from gateway.events.dialect_format import Try, Wire
from gateway.store.engine import Row
from gateway.store.ids import number_of
from gateway.store.json_columns import load


class WebhookView(msgspec.Struct):
    """A webhook. ``secret`` is there only when it was just made."""

    id: int
    name: str | None
    url: str
    events: list[str]
    created_at: str
    secret: str | msgspec.UnsetType = msgspec.UNSET


class AttemptView(msgspec.Struct):
    """One try to post an event. ``payload``: the body as it was posted, null where a page has grown very large; both
    it and ``event`` are null once the event is kept no more. ``next_retry_at``: when the event is tried again, on its
    latest try."""

    id: int
    webhook_id: int
    event: str | None
    url: str
    attempt: int
    status: Literal["success", "failed"]
    response_status: int | None
    response_body: str | None
    error: str | None
    duration_ms: int | None
    payload: EventView | None
    next_retry_at: str | None
    created_at: str


class ResentView(msgspec.Struct):
    """The event of an attempt is posted again, as a new attempt."""

    attempt_id: int
    webhook_id: int
    status: Literal["queued"]


def webhook_view(row: Row, *, secret: bool = False) -> WebhookView:
    return WebhookView(
        id=row["number"],
        name=row["name"],
        url=row["url"],
        events=load(row["event_types_json"]),
        created_at=to_seconds(row["created_at"]),
        secret=row["secret"] if secret else msgspec.UNSET,
    )


def attempt_view(row: Row, wire: Wire) -> AttemptView:
    """``row``: from ``core.webhooks.attempts``, with ``payloads``; ``wire``: what rendered it for the endpoint."""
    ok = row["error"] is None and 200 <= (row["status"] or 0) < 300
    payload: Any = None
    if row["event"] is not None:
        payload = wire.render(row["event"], Try(row["number"], row["created_at"]))
    return AttemptView(
        id=row["id"],
        webhook_id=number_of(row["webhook_id"]),
        event=row["event_type"],
        url=row["url"],
        attempt=row["number"],
        status="success" if ok else "failed",
        response_status=row["status"],
        response_body=row["response"],
        error=None if ok else row["error"] or _refusal(row["status"]),
        duration_ms=row["duration_ms"],
        payload=payload,
        next_retry_at=shown_time(row["retry_at"]),
        created_at=to_seconds(row["created_at"]),
    )


def _refusal(status: int) -> str:
    hint = ": redirects are not followed, give the final URL" if status // 100 == 3 else ""
    return f"the endpoint answered HTTP {status}{hint}"
