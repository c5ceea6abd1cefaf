"""Building the gateway and starting and stopping its parts, in order (one AsyncExitStack).

Order: data directory and secret, database and migrations, parser workers, mail server, first organization,
engines (outbox, webhook deliveries, sync, IDLE, scheduled drafts, reputations), then HTTP. Stopping runs the other way:
HTTP refuses, engines finish what they hold, the mail server's children end, the database closes last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette

from gateway.api.agentmail import agentmail_dialect
from gateway.api.mailboxkit import mailboxkit_dialect
from gateway.api.opened_pixel import opened_routes
from gateway.api.openmail import openmail_dialect
from gateway.api.operator_door import operator_routes
from gateway.api.proxies import behind_proxies
from gateway.api.system import no_such_path, system_routes
from gateway.api.unsubscribe import unsubscribe_routes
from gateway.core import bootstrap, inboxes
from gateway.core.context import Core
from gateway.core.draft_schedule import DraftScheduler
from gateway.core.drafts_sync import MailboxDrafts
from gateway.core.reputation_watch import ReputationWatch
from gateway.datadir import owned, private_file, secret_of
from gateway.events.deliver import WebhookDelivery
from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mail_choice import make_mail_server
from gateway.mcp.door import McpDoor
from gateway.milter.key_mirror import KeyMirror
from gateway.mime.worker import ParserPool
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.outbox.engine import Outbox
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.sync.engine import Sync
from gateway.sync.idle import IdleWatch
from mailserver.base import Hint, MailServer, Submission
from mailserver.imap import ImapPool

log = logging.getLogger("postern")

DIALECTS = [agentmail_dialect, openmail_dialect, mailboxkit_dialect]


@dataclass(frozen=True, slots=True)
class Running:
    """A started gateway."""

    core: Core
    app: Starlette
    sync: Sync
    outbox: Outbox
    deliveries: WebhookDelivery
    idle: IdleWatch


@asynccontextmanager
async def ground(settings: Settings) -> AsyncIterator[Core]:
    """The parts every command needs: database, parser, mail server; no engine, no HTTP.

    Raises DataDirInUse, SchemaTooNew, MailServerError with words for the operator.
    """
    async with _core(settings, lambda hint: None, _refuse_submission) as core:
        yield core


async def _refuse_submission(submission: Submission) -> str:
    raise RuntimeError("submissions need a running gateway")


@asynccontextmanager
async def _core(
    settings: Settings, on_hint: Callable[[Hint], None], on_submission: Callable[[Submission], Awaitable[str]]
) -> AsyncIterator[Core]:
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(owned(Path(settings.data_dir)))
        secret = secret_of(data_dir)
        store = Store(settings.database.url or f"sqlite:{private_file(data_dir / 'postern.db')}")
        applied = await asyncio.to_thread(migrate, store)
        if applied:
            log.info("database brought up to date: %s", ", ".join(applied))
        store.start()
        stack.callback(store.close)
        parser = ParserPool(authserv_id=settings.mail.hostname or f"mail.{settings.mail.domain}")
        await parser.start()
        stack.push_async_callback(parser.close)
        extractor = None
        if settings.attachments.extract:
            extractor = ExtractPool(
                settings.attachments.processes, languages=settings.attachments.ocr_languages
            )
            await extractor.start()
            stack.push_async_callback(extractor.close)
        fetcher = SafeClient(fetch_policy(settings))
        stack.push_async_callback(fetcher.close)
        mail: MailServer = make_mail_server(settings, data_dir)
        stack.push_async_callback(mail.stop)
        await mail.start(on_hint, on_submission)
        imap = ImapPool(mail.imap_login, size=settings.sync.connections)
        stack.push_async_callback(imap.close)
        core = Core(
            settings=settings,
            store=store,
            mail=mail,
            imap=imap,
            parser=parser,
            fetcher=fetcher,
            events=EventLog(),
            outbox_bell=Bell(),
            secret=secret,
            data_dir=data_dir,
            extractor=extractor,
        )
        await bootstrap.ensure_first_run(core)
        await inboxes.finish_deletions(core)
        await bootstrap.reconcile_mail_server(core)
        yield core


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[Running]:
    """Everything but the HTTP listener. ``settings.http.public_url`` must be the one clients use."""
    late: dict[str, Sync | Outbox] = {}
    early: list[Hint] = []

    def on_hint(hint: Hint) -> None:
        sync = late.get("sync")
        if isinstance(sync, Sync):
            sync.hint(hint)
        else:
            early.append(hint)

    async def on_submission(submission: Submission) -> str:
        outbox = late.get("outbox")
        if not isinstance(outbox, Outbox):
            raise RuntimeError("the gateway is still starting")
        return await outbox.accept_submission(submission)

    async with _core(settings, on_hint, on_submission) as core, AsyncExitStack() as stack:
        drafts = MailboxDrafts(core.store)
        sync = Sync(
            core.store, core.mail, core.imap, core.parser, core.events, drafts, settings, core.extractor
        )
        outbox = Outbox(
            core.store, core.mail, core.imap, core.events, settings, core.outbox_bell, core.secret
        )
        wires = {one.name: one.wire(core) for one in DIALECTS}
        deliveries = WebhookDelivery(
            core.store, core.events, core.fetcher, settings, wires, core.live.heard_by
        )
        idle = IdleWatch(core.store, core.mail, sync.hint, settings)
        scheduler = DraftScheduler(core)
        reputation = ReputationWatch(core)
        # the milter signs while we are down, with keys as we last wrote them
        keys = [KeyMirror(core.store, core.data_dir)] if settings.mail.milter else []
        for engine in (*keys, outbox, deliveries, sync, idle, scheduler, reputation):
            await engine.start()
            stack.push_async_callback(engine.stop)
        late.update(sync=sync, outbox=outbox)
        for hint in early:
            sync.hint(hint)
        mcp = McpDoor(core)
        stack.push_async_callback(mcp.stop)
        app = Starlette(
            routes=[
                *operator_routes(core, sync.refresh),
                *system_routes(core, {"sync_lag": sync.lag, "outbox_age": outbox.age}, DIALECTS),
                *unsubscribe_routes(core),
                *opened_routes(core),
                *([mcp] if settings.mcp.enabled else []),
                *(route for one in DIALECTS for route in one.routes(core)),
            ],
            exception_handlers={404: no_such_path, 405: no_such_path},
        )
        yield Running(core, app, sync, outbox, deliveries, idle)


def bind(settings: Settings) -> tuple[socket.socket, str]:
    """Open the HTTP listener; answers the socket and the URL clients reach it by. Raises OSError."""
    http = settings.http
    if http.unix_socket:
        path = Path(http.unix_socket)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(path))
        return sock, http.public_url or "http://localhost"
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    # the protocol is named because asyncio sets TCP_NODELAY only then: without it each answer waits for an ACK
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # a WebSocket peer that vanished or never reads must not hold its descriptor for ever (tcp(7), ms)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000)
    sock.bind((http.host, http.port))
    host = f"[{http.host}]" if ":" in http.host else http.host
    return sock, http.public_url or f"http://{host}:{sock.getsockname()[1]}"


class _Server(uvicorn.Server):
    """uvicorn, telling when requests are answered, and before it ends connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], Awaitable[None]] | None,
        on_stop: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._on_ready, self._on_stop = on_ready, on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: uvicorn would raise them again after HTTP ended, before the rest was closed."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready is not None and not self.should_exit:
            await self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_stop()
        await super().shutdown(sockets)


def local_url(sock: socket.socket) -> str:
    """How a program on this machine reaches the listener: ``http://host:port`` or ``unix:PATH``."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{Path(name).resolve()}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name[0], name[0])  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{name[1]}" if ":" in host else f"http://{host}:{name[1]}"


OnReady = Callable[[Running, str], Awaitable[None]]
"""Called when requests are answered, with the URL that programs on this machine reach the gateway by."""


async def serve(
    settings: Settings, on_ready: OnReady | None = None, until: asyncio.Event | None = None
) -> None:
    """Run until SIGINT or SIGTERM, or until ``until`` is set.

    A signal before requests are answered gives up starting (CancelledError); a second one does not wait for
    open requests.
    """
    with _stoppable(until) as stop:
        sock, url = bind(settings)
        settings = msgspec.structs.replace(
            settings, http=msgspec.structs.replace(settings.http, public_url=url.rstrip("/"))
        )
        with sock:
            async with gateway(settings) as running:
                config = uvicorn.Config(
                    behind_proxies(running.app, settings.http),
                    http="httptools",
                    ws="websockets-sansio",
                    ws_max_size=1 << 20,
                    ws_ping_interval=30.0,
                    ws_ping_timeout=10.0,
                    lifespan="off",
                    access_log=False,
                    log_config=None,
                    server_header=False,
                    proxy_headers=False,
                    timeout_graceful_shutdown=8,
                )
                ready = partial(on_ready, running, local_url(sock)) if on_ready else None
                stop.server = _Server(config, ready, running.core.live.close)
                await stop.server.serve(sockets=[sock])
    log.info("stopped")


class _Stop:
    """What a signal does: cancel the start, then end HTTP, then end it at once."""

    def __init__(self) -> None:
        self.server: _Server | None = None
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
