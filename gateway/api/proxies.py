"""Whose request it is: the address of the client itself, where a reverse proxy stands in front.

``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed of ``http.trusted_proxies``, and of whoever may open the
Unix socket: that is the proxy, for which alone it is there. The rightmost address that is no trusted proxy
counts; what stands left of it the client may have written itself. Never ``*``: it takes the leftmost.
"""

from __future__ import annotations

from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.settings import Http

ON_SOCKET = "unix"
"""What stands for the address of a client on the Unix socket that no proxy speaks for."""


def with_proxy_headers(app: ASGIApp, http: Http, *, unix: bool) -> ASGIApp:
    """``app``, told its clients' own addresses; ``unix``: it is reached by a Unix socket too."""
    trusted = [*http.trusted_proxies, *([ON_SOCKET] if unix else [])]
    if not trusted:
        return app
    told = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), trusted))

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        if unix and scope.get("client") is None:
            scope["client"] = (ON_SOCKET, 0)
        await told(scope, receive, send)

    return named
