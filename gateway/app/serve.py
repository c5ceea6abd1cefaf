"""Answering HTTP from the start of the gateway until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import msgspec

from gateway.api.proxies import with_proxy_headers
from gateway.app.engines import Gateway, open_gateway
from gateway.app.http_protocol import Guard
from gateway.app.http_server import HttpServer
from gateway.app.listeners import open_listeners
from gateway.app.roles import ROLES, Role
from gateway.service.notify import Manager
from gateway.service.watchdog import report_status
from gateway.settings import Settings
from mailserver.allocator import give_back_at_once
from mailserver.pace import Pace

log = logging.getLogger("postern")

_STOPPING = 60.0  # seconds that stopping may take beyond what the unit allows

OnReady = Callable[[Gateway, str], Awaitable[None]]
"""Called when requests are answered, with the URL that programs on this machine reach the gateway by."""


async def serve(
    settings: Settings,
    on_ready: OnReady | None = None,
    until: asyncio.Event | None = None,
    manager: Manager | None = None,
    roles: frozenset[Role] = ROLES,
) -> None:
    """Run until SIGINT or SIGTERM, or until ``until`` is set; ``manager`` gets the states.

    A signal before requests are answered gives up starting (CancelledError); a second one does not wait for
    open requests.
    """
    manager = manager or Manager()
    give_back_at_once()
    with _stoppable(until) as stop, open_listeners(settings.http) as listeners:
        http = msgspec.structs.replace(
            settings.http, public_url=(settings.http.public_url or listeners.url).rstrip("/")
        )
        settings = msgspec.structs.replace(settings, http=http)
        async with AsyncExitStack() as ending, open_gateway(settings, manager, roles) as gateway:
            reports = AsyncExitStack()

            async def ready() -> None:
                if on_ready is not None:
                    await on_ready(gateway, listeners.local_url)
                manager.ready()
                await reports.enter_async_context(report_status(manager, gateway.core.store))

            async def stopping() -> None:
                manager.stopping()
                await ending.enter_async_context(manager.busy(_STOPPING))
                await reports.aclose()
                manager.status("stopping: open requests and what is being sent are finished")
                await gateway.core.live.close()

            app = with_proxy_headers(gateway.app, settings.http, unix=listeners.unix)
            guard = Guard(
                settings.http.connections,
                settings.http.header_seconds,
                Pace(settings.limits.slowest_upload),
                settings.http.trusted_proxies,
            )
            stop.server = HttpServer(app, ready, stopping, guard)
            await stop.server.serve(sockets=listeners.sockets)
    log.info("stopped")


class _Stop:
    """What a signal does: cancel the start, then end HTTP, then end it at once."""

    def __init__(self) -> None:
        self.server: HttpServer | None = None
        self._task = asyncio.current_task()

    def __call__(self) -> None:
        if self.server is not None:
            self.server.force_exit = self.server.should_exit
            self.server.should_exit = True
        elif self._task is not None:
            self._task.cancel()


@contextlib.contextmanager
def _stoppable(until: asyncio.Event | None) -> Iterator[_Stop]:
    stop = _Stop()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, stop)
    waiter = until and asyncio.create_task(until.wait(), name="until")
    if waiter:
        waiter.add_done_callback(lambda task: None if task.cancelled() else stop())
    try:
        yield stop
    finally:
        if waiter:
            waiter.cancel()
        for one in signals:
            loop.remove_signal_handler(one)
