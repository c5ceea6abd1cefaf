"""OpenMail's webhooks: headers, retry schedule and which channel an event takes (contract §8)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.api.openmail.events_view import SOCKETS_FIRST, render
from gateway.events.dialect_format import Try, Wire
from gateway.events.schedule import Outcome
from gateway.events.webhook_signing import sign_openmail
from gateway.records.events import Event
from gateway.settings import Settings

WAITS = (30.0, 60.0, 120.0, 240.0)
"""Seconds from the n-th failed try to the next: five tries in all."""


def plan(number: int, *, status: int | None, retry_after: str | None, now: float, scale: float) -> Outcome:
    """What follows a failed try."""
    return Outcome(None if number > len(WAITS) else WAITS[number - 1] * scale)


def sign(secrets: Sequence[str], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """One signature, by the newest secret: a rotated one is dead at once."""
    return sign_openmail(secrets[0], event_id, timestamp, body)


def openmail_wire(settings: Settings) -> Wire:
    """The dialect's side of webhook delivery; ``http.public_url`` enters the attachments' links."""
    public_url = settings.http.public_url.rstrip("/")

    def shown(event: Event, attempt: Try) -> object | None:
        return render(event, attempt, public_url)

    return Wire(render=shown, sign=sign, plan=plan, prefer_socket=SOCKETS_FIRST, disables=False)
