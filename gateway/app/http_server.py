"""uvicorn as the gateway uses it: it reports when it answers requests, and it stops without failing any."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from gateway.app.http_protocol import Guard, GuardedProtocol

_LAST_REQUESTS = 0.3
_OPEN_REQUESTS = 8


class HttpServer(uvicorn.Server):
    """The HTTP server of one gateway.

    Args:
        on_ready: awaited as soon as requests are answered.
        on_stop: awaited before connections are closed.
        guard: limits connections.
    """

    def __init__(
        self,
        app: ASGIApp,
        on_ready: Callable[[], Awaitable[None]],
        on_stop: Callable[[], Awaitable[None]],
        guard: Guard,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=cast(type[asyncio.Protocol], partial(GuardedProtocol, guard)),
                ws="websockets-sansio",
                ws_max_size=1 << 20,
                ws_ping_interval=30.0,
                ws_ping_timeout=10.0,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_OPEN_REQUESTS,
            )
        )
        self._on_ready, self._on_stop = on_ready, on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to ``serve``: uvicorn would raise them again when HTTP ended, before the rest is closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            await self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._on_stop()
        await self._answer_last_requests()
        await super().shutdown(sockets)

    async def _answer_last_requests(self) -> None:
        """Answer, with ``Connection: close``, what comes on connections that are open: uvicorn would drop the request
        of a connection that was accepted a moment ago, as it has not read it yet."""
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        if self.server_state.connections and not self.force_exit:
            await asyncio.sleep(_LAST_REQUESTS)
