"""MailboxKit's webhooks: headers and retry schedule (contract, "Webhooks")."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gateway.api.mailboxkit.events_view import render
from gateway.api.mailboxkit.file_links import FileLinks
from gateway.events.dialect_format import Try, Wire
from gateway.events.schedule import Outcome
from gateway.events.webhook_signing import sign as sign_standard
from gateway.events.webhook_signing import sign_mailboxkit
from gateway.records.events import Event
from gateway.settings import Settings

TRIES_AT = (0.0, 30.0, 120.0, 600.0, 3600.0, 21_600.0, 86_400.0)
"""Seconds from the first attempt to each of the seven."""

WAITS = tuple(later - earlier for earlier, later in pairwise(TRIES_AT))
"""Seconds from the n-th failed attempt to the next."""

TIMEOUT = 10.0
"""Seconds within which an endpoint must answer."""

LINK_SECONDS = 7 * 86_400
"""How long an event's attachment URLs work. All attempts have the same URLs; the last is a day after the first."""


def plan(number: int, *, status: int | None, retry_after: str | None, now: float, scale: float) -> Outcome:
    """When to try again after failed attempt ``number``; see ``Wire.plan``."""
    return Outcome(None if number > len(WAITS) else WAITS[number - 1] * scale)


def sign(secrets: Sequence[str], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Both signatures: MailboxKit's, of the body alone, and the stronger one of Standard Webhooks."""
    return {
        **sign_standard(secrets, event_id, timestamp, body),
        **sign_mailboxkit(secrets[0], event_id, timestamp, body),
    }


def mailboxkit_wire(settings: Settings, secret: bytes) -> Wire:
    """The dialect's part of webhook delivery. Attachment links use ``http.public_url`` and ``secret``."""
    public_url = settings.http.public_url.rstrip("/")

    def shown(event: Event, attempt: Try) -> object | None:
        return render(event, FileLinks(public_url, secret, event.created_at // 1_000_000 + LINK_SECONDS))

    return Wire(
        render=shown,
        sign=sign,
        plan=plan,
        disables=False,
        timeout=min(TIMEOUT, settings.webhooks.timeout),
    )
