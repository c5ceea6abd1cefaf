"""The request limit of a key (``limits.requests_per_minute``) and the headers that tell of it."""

from __future__ import annotations

import time

from gateway.api.errors import limit_headers
from gateway.core.context import Core
from gateway.core.errors import TooMany
from gateway.store.scope import Scope


def rate_limit(core: Core, scope: Scope, headers: dict[str, str]) -> None:
    """Count one request; fills ``headers`` with X-RateLimit-*. Raises TooMany."""
    most = core.settings.limits.requests_per_minute
    if not most:
        return
    grant = core.keys.requests.take(scope.key_id or scope.organization, most)
    headers.update(limit_headers(most, grant.left, int(time.time()) + grant.wait))
    if not grant.allowed:
        raise TooMany(
            f"this API key made more than {most} requests a minute",
            grant.wait,
            fix=f"wait {grant.wait} s, as Retry-After says",
        )
