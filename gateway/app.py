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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from gateway.api.agentmail import agentmail_dialect
from gateway.api.health import Lag
from gateway.api.mailboxkit import mailboxkit_dialect
from gateway.api.opened_pixel import opened_routes
from gateway.api.openmail import openmail_dialect
from gateway.api.operator import Refresh, operator_routes
from gateway.api.operator_self_test import self_test_routes
from gateway.api.operator_status import status_routes
from gateway.api.proxies import with_proxy_headers
from gateway.api.relay_hooks import relay_hook_routes
from gateway.api.route_access import with_access
from gateway.api.system import no_such_path, system_routes
from gateway.api.unsubscribe import unsubscribe_routes
from gateway.api.well_known import well_known_routes
from gateway.core.access import OPEN, OPERATOR
from gateway.core.accounts import bootstrap
from gateway.core.context import Core
from gateway.core.domains.watch import DomainWatch
from gateway.core.drafts.from_mailbox import MailboxDrafts
from gateway.core.drafts.schedule import DraftScheduler
from gateway.core.inboxes import inboxes
from gateway.core.inboxes.repair import Repair
from gateway.core.key_ring import KeyRing
from gateway.core.sending.reputation_watch import ReputationWatch
from gateway.core.webhooks.off_notice import WebhookNotices
from gateway.datadir import mail_owned, owned, private_file, secret_of
from gateway.events.deliver import WebhookDelivery, most_posts
from gateway.events.log import EventLog
from gateway.events.socket_presence import Hearing
from gateway.extract.pool import ExtractPool
from gateway.http_protocol import Guard
from gateway.http_server import HttpServer
from gateway.listeners import listening
from gateway.mail_choice import disks_of, make_mail_server
from gateway.mcp.endpoint import McpRoute
from gateway.milter.key_mirror import KeyMirror
from gateway.mime.workers.parser_pool import ParserPool
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.outbox.age import age
from gateway.outbox.engine import Outbox
from gateway.roles import ROLES, ProcessGroup, Role, check_roles, company
from gateway.service.notify import Manager
from gateway.service.watchdog import ping_watchdog, report_status
from gateway.settings import Settings
from gateway.smarthost.profiles import profile_of
from gateway.store.database_url import database_url, sqlite_file
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.postgres import is_postgres
from gateway.store.sealing import Sealer
from gateway.store.wake_event import WakeEvent
from gateway.sync.idle import IdleWatch
from gateway.sync.mailbox_ownership import MailboxOwnership
from gateway.sync.own_sessions import OwnSessions
from gateway.sync.scan import Scanner
from gateway.sync.schedule import Sync
from mailserver.allocator import give_back_at_once
from mailserver.base import Hint, MailServer, Submission
from mailserver.imap import ImapPool
from mailserver.inflight import InFlight
from mailserver.memory import Memory
from mailserver.pace import Pace
from mailserver.provisioning import Provisioning

log = logging.getLogger("postern")

_STOPPING = 60.0  # seconds that stopping may take beyond what the unit allows
DIALECTS = [agentmail_dialect, openmail_dialect, mailboxkit_dialect]


class Engine(Protocol):
    """A loop that can be killed at any instruction."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """Finish what is held."""


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

    Raises DataDirInUse, SchemaTooNew, WrongKey, MailServerError with words for the operator.
    """
    async with _core(settings, lambda hint: None, _refuse_submission, Manager(), None) as (core, _):
        yield core


def scanner_of(core: Core, ownership: MailboxOwnership | None = None) -> Scanner:
    """What scans mailboxes, for the sync (``ownership``: of those that it scans) or a command (all)."""
    return Scanner(
        *(core.store, core.imap, core.parser, core.events, MailboxDrafts(core.store), core.settings),
        extractor=core.extractor,
        ownership=ownership,
        memory=core.memory,
    )


async def _refuse_submission(submission: Submission) -> str:
    raise RuntimeError("submissions need a running gateway")


@asynccontextmanager
async def _core(
    settings: Settings,
    on_hint: Callable[[Hint], None],
    on_submission: Callable[[Submission], Awaitable[str]],
    manager: Manager,
    roles: frozenset[Role] | None,
) -> AsyncIterator[tuple[Core, ProcessGroup]]:
    """``roles`` None: for a command, which is alone."""
    attach = roles is not None and "mail" not in roles
    async with AsyncExitStack() as stack:
        shared = roles is not None and is_postgres(settings.database.url)
        data_dir = stack.enter_context(owned(Path(settings.data_dir), shared=shared))
        if not attach and (settings.mail.server == "embedded" or settings.mail.manage):
            stack.enter_context(mail_owned(data_dir))
        secret = secret_of(data_dir)
        url = database_url(settings.database.url, data_dir)
        if file := sqlite_file(url):
            private_file(file)
        store = Store(url, settings.database.connections, Sealer(secret))
        manager.status("starting: bringing the database up to date")
        async with manager.busy():
            applied = await asyncio.to_thread(migrate, store)
        if applied:
            log.info("database brought up to date: %s", ", ".join(applied))
        store.start()
        stack.callback(store.close)
        among = await stack.enter_async_context(company(store, roles))
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
        memory, inflight = Memory(settings.limits.memory), InFlight(settings.limits.octets_in_flight)
        disks = disks_of(settings, data_dir)
        mail: MailServer = make_mail_server(
            settings, data_dir, attach=attach, inflight=inflight, memory=memory, disks=disks
        )
        stack.push_async_callback(mail.stop)
        manager.status("starting: waiting for the mail server")
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
            events=EventLog(among.wakeups, settings.webhooks.retry_scale),
            outbox_wake=WakeEvent().shared(among.wakeups, "outbox"),
            inbox_wake=WakeEvent().shared(among.wakeups, "inboxes"),
            secret=secret,
            data_dir=data_dir,
            extractor=extractor,
            leases=among.leases,
            keys=KeyRing(among.wakeups),
            memory=memory,
            inflight=inflight,
            disks=disks,
        )
        await bootstrap.ensure_first_run(core)
        manager.status("starting: telling the mail server its domains and mailboxes")
        async with manager.busy():
            if among.first:
                await bootstrap.patiently(partial(inboxes.finish_deletions, core))
                await bootstrap.patiently(partial(bootstrap.reconcile_mail_server, core))
        yield core, among


@asynccontextmanager
async def gateway(
    settings: Settings, manager: Manager | None = None, roles: frozenset[Role] = ROLES
) -> AsyncIterator[Running]:
    """Everything but the HTTP listener. ``settings.http.public_url`` must be the one clients use.

    Raises BadSettings for roles that cannot be had.
    """
    check_roles(settings, roles)
    manager = manager or Manager()
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

    async with (
        _core(settings, on_hint, on_submission, manager, roles) as (core, among),
        AsyncExitStack() as stack,
    ):
        await stack.enter_async_context(ping_watchdog(manager, core.store))
        ownership = MailboxOwnership(core.store, among.leases, among.wakeups)
        sync = Sync(core.store, core.mail, scanner_of(core, ownership), settings)
        outbox = Outbox(
            *(core.store, core.mail, core.imap, core.events),
            *(settings, core.outbox_wake, core.secret, among.leases),
            memory=core.memory,
            spool=core.spool,
        )
        wires = {one.name: one.wire(core) for one in DIALECTS}
        hearing = Hearing(core.live, core.store, among.leases, among.wakeups)
        # connections and look-ups of its own: what callers have fetched and what is posted do not wait for each other
        posts = most_posts(settings)
        poster = SafeClient(fetch_policy(settings, questions=2 * posts), connections=posts)
        stack.push_async_callback(poster.close)
        deliveries = WebhookDelivery(
            core.store, core.events, poster, settings, wires, hearing.heard_by, among.leases
        )
        idle = IdleWatch(
            core.store, core.mail.imap_login, sync.hint, settings, ownership.owns, core.inbox_wake
        )
        if isinstance(core.mail, Provisioning):
            core.mail.sessions_closed = OwnSessions(core.imap, idle, among.leases, among.wakeups).closed
        # the milter signs while we are down, with keys as we last wrote them
        changed = profile_of(settings).changed
        keys = [KeyMirror(core.store, core.data_dir, changed)] if settings.mail.milter else []
        engines: list[tuple[Role, Engine]] = [
            *(("mail", one) for one in keys),
            ("outbox", outbox),
            ("events", deliveries),
            ("sync", sync),
            ("sync", idle),
            ("outbox", DraftScheduler(core)),
            ("events", ReputationWatch(core)),
            ("events", DomainWatch(core)),
            ("events", WebhookNotices(core)),
            ("sync", Repair(core)),
        ]
        for role, engine in engines:
            if role in roles:
                await engine.start()
                stack.push_async_callback(engine.stop)
        await among.take_part()
        late.update(sync=sync, outbox=outbox)
        for hint in early:
            sync.hint(hint)
        mcp = McpRoute(core)
        stack.push_async_callback(mcp.stop)
        lags: dict[str, Lag] = {"sync_lag": sync.lag, "outbox_age": partial(age, core.store)}

        def watched() -> tuple[int, int]:
            return idle.watching, idle.waiting

        app = Starlette(
            routes=[
                *own_routes(core, sync.refresh, lags, watched if "sync" in roles else None),
                *(api_routes(core, mcp) if "api" in roles else []),
            ],
            exception_handlers={404: no_such_path, 405: no_such_path},
        )
        yield Running(core, app, sync, outbox, deliveries, idle)


def own_routes(
    core: Core,
    refresh: Refresh,
    lags: Mapping[str, Lag],
    watched: Callable[[], tuple[int, int]] | None = None,
) -> list[BaseRoute]:
    """What every process answers, whatever its roles. ``watched``: how many inboxes it watches, and how many wait."""
    return [
        *with_access(core, OPERATOR, operator_routes(core, refresh)),
        *with_access(core, OPERATOR, self_test_routes(core)),
        *with_access(core, OPERATOR, status_routes(core)),
        *with_access(core, OPEN, system_routes(core, lags, DIALECTS, watched)),
    ]


def api_routes(core: Core, mcp: McpRoute) -> list[BaseRoute]:
    """What clients ask for; a dialect's endpoints and MCP's tools declare their access themselves."""
    return [
        *with_access(core, OPEN, unsubscribe_routes(core)),
        *with_access(core, OPEN, well_known_routes(core)),
        *with_access(core, OPEN, opened_routes(core)),
        *with_access(core, OPEN, relay_hook_routes(core)),
        *([mcp] if core.settings.mcp.enabled else []),
        *(route for one in DIALECTS for route in one.routes(core)),
    ]


OnReady = Callable[[Running, str], Awaitable[None]]
"""Called when requests are answered, with the URL that programs on this machine reach the gateway by."""


async def serve(
    settings: Settings,
    on_ready: OnReady | None = None,
    until: asyncio.Event | None = None,
    manager: Manager | None = None,
    roles: frozenset[Role] = ROLES,
) -> None:
    """Run until SIGINT or SIGTERM, or until ``until`` is set; ``manager`` is told how it goes.

    A signal before requests are answered gives up starting (CancelledError); a second one does not wait for
    open requests.
    """
    manager = manager or Manager()
    give_back_at_once()
    with _stoppable(until) as stop, listening(settings.http) as listeners:
        http = msgspec.structs.replace(
            settings.http, public_url=(settings.http.public_url or listeners.url).rstrip("/")
        )
        settings = msgspec.structs.replace(settings, http=http)
        async with AsyncExitStack() as ending, gateway(settings, manager, roles) as running:
            telling = AsyncExitStack()

            async def ready() -> None:
                if on_ready is not None:
                    await on_ready(running, listeners.local_url)
                manager.ready()
                await telling.enter_async_context(report_status(manager, running.core.store))

            async def stopping() -> None:
                manager.stopping()
                await ending.enter_async_context(manager.busy(_STOPPING))
                await telling.aclose()
                manager.status("stopping: open requests and what is being sent are finished")
                await running.core.live.close()

            app = with_proxy_headers(running.app, settings.http, unix=listeners.unix)
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
