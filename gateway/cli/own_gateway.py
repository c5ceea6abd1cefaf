"""A gateway started for one command, where none runs on the data directory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway import logs
from gateway.app.engines import Gateway
from gateway.app.serve import serve
from gateway.cli.failure import UNAVAILABLE, Failure
from gateway.cli.operator import Operator
from gateway.cli.operator_file import announce
from gateway.settings import Settings


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Operator]:
    """A gateway of our own on a free loopback port, for the time of the block."""
    logs.configure("warning", "text")
    http = msgspec.structs.replace(settings.http, host="127.0.0.1", port=0, unix_socket="")
    settings = msgspec.structs.replace(settings, http=http)
    ready: asyncio.Future[Operator] = asyncio.get_running_loop().create_future()

    async def on_ready(running: Gateway, local_url: str) -> None:
        ready.set_result(await announce(running.core, local_url))

    until = asyncio.Event()
    job = asyncio.create_task(serve(settings, on_ready, until), name="gateway")
    try:
        waited: set[asyncio.Future[Any]] = {job, ready}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await job  # raises what went wrong
            raise Failure("the gateway stopped while starting", UNAVAILABLE)
        yield ready.result()
    finally:
        ready.cancel()
        until.set()
        with contextlib.suppress(asyncio.CancelledError):
            await job
