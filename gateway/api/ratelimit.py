"""Limits the requests of a key, and reports the limit in headers: X-RateLimit-Limit, -Remaining, -Reset.

The headers show the limit of the minute, or that of the day once less is left of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.api.errors import limit_headers
from gateway.core.context import Core
from gateway.core.errors import TooMany
from gateway.settings import Settings
from gateway.store.scope import Scope


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests a key may make; 0: no limit."""

    per_minute: int = 0
    per_day: int = 0


def gateway_limits(settings: Settings) -> RequestLimits:
    """The limits of a dialect without limits of its own: ``limits.requests_per_minute``."""
    return RequestLimits(settings.limits.requests_per_minute)


def rate_limit(
    core: Core, scope: Scope, headers: dict[str, str], limits: RequestLimits | None = None
) -> None:
    """Count one request, and put X-RateLimit-* into ``headers``. Raises TooMany."""
    limits = gateway_limits(core.settings) if limits is None else limits
    caller = scope.key_id or scope.organization
    least: int | None = None
    for most, span, counts in (
        (limits.per_minute, "minute", core.keys.requests),
        (limits.per_day, "day", core.keys.requests_today),
    ):
        if not most:
            continue
        grant = counts.take(f"{caller}/{most}", most)  # two dialects may have two limits
        if least is None or grant.left < least:
            least = grant.left
            headers.update(limit_headers(most, grant.left, int(time.time()) + grant.wait))
        if not grant.allowed:
            raise TooMany(
                f"this API key made more than {most} requests a {span}",
                grant.wait,
                fix=f"wait {grant.wait} s, as Retry-After says",
            )
