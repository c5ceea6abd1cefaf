"""What the routes of both kinds of webhook, an inbox's and the account's, answer."""

from __future__ import annotations

import msgspec

from gateway.api.times import iso_of
from gateway.core.webhooks.attempts import Tried
from gateway.core.webhooks.test_post import Taken
from gateway.records.ids import EVENT_ID


class SecretView(msgspec.Struct, rename="camel"):
    """A new signing secret: shown here and never again."""

    webhook_secret: str


class TestedView(msgspec.Struct):
    """The endpoint took the test event."""

    ok: bool
    message: str


class AttemptView(msgspec.Struct, rename="camel"):
    """One try to post an event. ``state`` of the delivery: pending, done, failed; null when it is gone."""

    event_id: str | None
    event: str | None
    attempt: int
    url: str
    status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None
    state: str | None
    created_at: str


def tested_view(taken: Taken) -> TestedView:
    return TestedView(True, f"the endpoint answered HTTP {taken.status} after {taken.duration_ms} ms")


def attempt_view(tried: Tried) -> AttemptView:
    attempt = tried.attempt
    return AttemptView(
        event_id=EVENT_ID.public(attempt.event_id),
        event=tried.event_type,
        attempt=attempt.number,
        url=attempt.url,
        status=attempt.status,
        response=attempt.response,
        error=attempt.error,
        duration_ms=attempt.duration_ms,
        state=tried.state,
        created_at=iso_of(attempt.created_at),
    )
