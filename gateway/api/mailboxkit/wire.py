"""MailboxKit's webhooks: headers and retry schedule (contract, "Webhooks")."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.api.mailboxkit.events_view import render
from gateway.events.schedule import Outcome
from gateway.events.webhook_signing import sign as sign_standard
from gateway.events.webhook_signing import sign_mailboxkit
from gateway.events.wire import Wire
from gateway.settings import Settings

WAITS = (30.0, 120.0, 600.0, 3600.0, 21_600.0, 86_400.0)
"""Seconds from the n-th failed try to the next: seven tries in all."""


def plan(number: int, *, status: int | None, retry_after: str | None, now: float, scale: float) -> Outcome:
    """What follows a failed try."""
    return Outcome(None if number > len(WAITS) else WAITS[number - 1] * scale)


def sign(secrets: Sequence[str], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """MailboxKit's signature of the body alone, and the stronger standard one beside it."""
    return {
        **sign_standard(secrets, event_id, timestamp, body),
        **sign_mailboxkit(secrets[0], event_id, timestamp, body),
    }


def mailboxkit_wire(settings: Settings) -> Wire:
    """The dialect's side of webhook delivery."""
    return Wire(render=render, sign=sign, plan=plan, disables=False)
