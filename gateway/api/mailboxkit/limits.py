"""MailboxKit's rate limits (contract, "Rate limits")."""

from __future__ import annotations

from gateway.api.ratelimit import RequestLimits
from gateway.settings import Settings


def request_limits(settings: Settings) -> RequestLimits:
    """The limits of ``[mailboxkit]``, or ``limits.requests_per_minute`` where that is lower."""
    own = settings.mailboxkit
    minutes = [one for one in (own.requests_per_minute, settings.limits.requests_per_minute) if one]
    return RequestLimits(min(minutes, default=0), own.requests_per_day)
