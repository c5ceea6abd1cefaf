"""An ASGI application served over HTTP and WebSocket in this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from mailserver.listening import Listening, ListeningSocket


@asynccontextmanager
async def served(app: ASGIApp, *, send_buffer: int = 0) -> AsyncIterator[int]:
    """Yields the port on 127.0.0.1. No connection outlives it, also none whose client is stuck.

    ``send_buffer``: octets the kernel keeps for a client that does not read (0: as it pleases).
    """
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=1 << 20,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
    )
    listener = ListeningSocket(socket.AF_INET)
    if send_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listener.bind(("127.0.0.1", 0))
    listening = Listening([listener], [])
    job = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield listening.port
    finally:
        server.should_exit = True
        await job
        await listening.close()
