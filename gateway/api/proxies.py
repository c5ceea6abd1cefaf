"""The address of the client behind a reverse proxy.

``X-Forwarded-For`` and ``X-Forwarded-Proto`` are trusted from ``http.trusted_proxies`` and on the Unix socket, which
exists for the proxy alone. The rightmost address that is no trusted proxy counts: the client may have written the
addresses left of it. Never trust ``*``: it takes the leftmost address.
"""

from __future__ import annotations

from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.settings import Http

ON_SOCKET = "unix"
"""The client address of a request on the Unix socket without a forwarded address."""


def with_proxy_headers(app: ASGIApp, http: Http, *, unix: bool) -> ASGIApp:
    """``app`` with the clients' own addresses. ``unix``: it listens on a Unix socket as well."""
    trusted = [*http.trusted_proxies, *([ON_SOCKET] if unix else [])]
    if not trusted:
        return app
    forwarded = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), trusted))

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        if unix and scope.get("client") is None:
            scope["client"] = (ON_SOCKET, 0)
        await forwarded(scope, receive, send)

    return named
