"""Webhooks and delivery attempts as MailboxKit shows them (contract, "Webhooks")."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gateway.api.mailboxkit.events_view import EventView
from gateway.api.mailboxkit.listing import shown_time
from gateway.api.times import to_seconds
from gateway.core.webhooks.attempts import Tried
from gateway.events.dialect_format import Try, Wire
from gateway.records.ids import number_of
from gateway.records.webhooks import Webhook


class WebhookView(msgspec.Struct):
    """A webhook. ``secret``: only in the answer that made it."""

    id: int
    name: str | None
    url: str
    events: list[str]
    created_at: str
    secret: str | msgspec.UnsetType = msgspec.UNSET


class AttemptView(msgspec.Struct):
    """One attempt to post an event. ``payload``: the posted body, null when the page would become very large. Both it
    and ``event`` are null once the event is deleted. ``next_retry_at``: the next attempt, on the latest one only."""

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
    """The event of an attempt is queued to be posted again, as a new attempt."""

    attempt_id: int
    webhook_id: int
    status: Literal["queued"]


def webhook_view(hook: Webhook, *, secret: bool = False) -> WebhookView:
    return WebhookView(
        id=hook.number,
        name=hook.name,
        url=hook.url,
        events=hook.event_types,
        created_at=to_seconds(hook.created_at),
        secret=hook.secret.reveal() if secret else msgspec.UNSET,
    )


def attempt_view(tried: Tried, wire: Wire) -> AttemptView:
    """``tried``: an attempt with its event. ``wire``: renders the payload."""
    attempt = tried.attempt
    ok = attempt.error is None and 200 <= (attempt.status or 0) < 300
    payload: Any = None
    if tried.event is not None:
        payload = wire.render(tried.event, Try(attempt.number, attempt.created_at))
    return AttemptView(
        id=attempt.id,
        webhook_id=number_of(attempt.webhook_id),
        event=tried.event_type,
        url=attempt.url,
        attempt=attempt.number,
        status="success" if ok else "failed",
        response_status=attempt.status,
        response_body=attempt.response,
        error=None if ok else attempt.error or _refusal(attempt.status),
        duration_ms=attempt.duration_ms,
        payload=payload,
        next_retry_at=shown_time(tried.retry_at),
        created_at=to_seconds(attempt.created_at),
    )


def _refusal(status: int | None) -> str:
    hint = ": redirects are not followed, give the final URL" if status and status // 100 == 3 else ""
    return f"the endpoint answered HTTP {status}{hint}"
