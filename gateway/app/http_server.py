"""uvicorn as the gateway uses it: it says when requests are answered, and it stops without failing anybody's."""

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
    """Args: ``on_ready`` is awaited when requests are answered, ``on_stop`` before connections are ended; ``guard``
    bounds connections."""

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
        """Signals are ours: uvicorn would raise them again after HTTP ended, before the rest was closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            await self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._on_stop()
        await self._answer_the_last()
        await super().shutdown(sockets)

    async def _answer_the_last(self) -> None:
        """A connection taken a moment ago carries a request that was not read yet: uvicorn would drop it. It is
        answered, with ``Connection: close``, like the last one of each connection that is kept open."""
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        if self.server_state.connections and not self.force_exit:
            await asyncio.sleep(_LAST_REQUESTS)
