"""The engines of a gateway, started beside the application that answers its requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from starlette.applications import Starlette

from gateway.api.health import Lag
from gateway.api.system import no_such_path
from gateway.app.build import build_core, scanner_of
from gateway.app.roles import ROLES, ProcessGroup, Role, check_roles
from gateway.app.routes import DIALECTS, api_routes, own_routes
from gateway.core.accounts.mail_logins import MailLogins
from gateway.core.context import Core
from gateway.core.domains.watch import DomainWatch
from gateway.core.drafts.schedule import DraftScheduler
from gateway.core.inboxes.repair import Repair
from gateway.core.reviews.watch import ReviewWatch
from gateway.core.sending import submissions
from gateway.core.sending.reputation_watch import ReputationWatch
from gateway.core.webhooks.off_notice import WebhookNotices
from gateway.events.deliver import WebhookDelivery, most_posts
from gateway.events.socket_presence import SocketPresence
from gateway.mcp.endpoint import McpRoute
from gateway.milter.key_mirror import KeyMirror
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.outbox.age import age
from gateway.outbox.engine import Outbox
from gateway.service.notify import Manager
from gateway.service.watchdog import ping_watchdog
from gateway.settings import Settings
from gateway.smarthost.profiles import profile_of
from gateway.sync.idle import IdleWatch
from gateway.sync.mailbox_ownership import MailboxOwnership
from gateway.sync.own_sessions import OwnSessions
from gateway.sync.schedule import Sync
from mailserver.base import Hint, Submission
from mailserver.provisioning import Provisioning


class Engine(Protocol):
    """A loop that can be killed at any instruction."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """Finish what is held."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A started gateway."""

    core: Core
    app: Starlette
    sync: Sync
    outbox: Outbox
    deliveries: WebhookDelivery
    idle: IdleWatch


class MailServerCalls:
    """What the mail server calls. It starts before the engines: until then hints wait and submissions are refused."""

    def __init__(self) -> None:
        self._core: Core | None = None
        self._sync: Sync | None = None
        self._early: list[Hint] = []

    def connect(self, core: Core, sync: Sync) -> None:
        """The engines have started."""
        self._core, self._sync = core, sync
        for hint in self._early:
            sync.hint(hint)
        self._early.clear()

    def hint(self, hint: Hint) -> None:
        """A mailbox changed."""
        if self._sync is None:
            self._early.append(hint)
        else:
            self._sync.hint(hint)

    async def submission(self, submission: Submission) -> str:
        """A person's mail client hands in a message; returns the reply. Raises RuntimeError during the start."""
        if self._core is None:
            raise RuntimeError("the gateway is still starting")
        return await submissions.accept(self._core, submission)


@asynccontextmanager
async def open_gateway(
    settings: Settings, manager: Manager | None = None, roles: frozenset[Role] = ROLES
) -> AsyncIterator[Gateway]:
    """Everything but the HTTP listener. ``settings.http.public_url`` must be the one clients use.

    Raises BadSettings for roles that cannot be had.
    """
    check_roles(settings, roles)
    manager = manager or Manager()
    calls = MailServerCalls()
    async with (
        build_core(settings, calls.hint, calls.submission, manager, roles) as (core, group),
        AsyncExitStack() as stack,
    ):
        await stack.enter_async_context(ping_watchdog(manager, core.store))
        ownership = MailboxOwnership(core.store, group.leases, group.wakeups)
        sync = Sync(core.store, core.mail, scanner_of(core, ownership), settings)
        outbox = Outbox(
            core.store,
            core.mail,
            core.imap,
            core.events,
            settings,
            core.outbox_wake,
            group.leases,
            core.memory,
            core.spool,
        )
        deliveries = await stack.enter_async_context(_webhook_delivery(core, group))
        idle = IdleWatch(
            core.store, core.mail.imap_login, sync.hint, settings, ownership.owns, core.inbox_wake
        )
        key_logins: list[MailLogins] = []
        if isinstance(core.mail, Provisioning):
            key_logins = [MailLogins(core, core.mail)] if settings.mail.key_logins else []
            core.mail.sessions_closed = OwnSessions(core.imap, idle, group.leases, group.wakeups).closed
        engines: list[tuple[Role, Engine]] = [
            *(("mail", one) for one in key_logins),
            ("outbox", outbox),
            ("events", deliveries),
            ("sync", sync),
            ("sync", idle),
            ("outbox", DraftScheduler(core)),
            ("events", ReputationWatch(core)),
            ("events", DomainWatch(core)),
            ("events", WebhookNotices(core)),
            ("events", ReviewWatch(core)),
            ("sync", Repair(core)),
        ]
        if settings.mail.milter:  # it signs while we are down, with the keys as we last wrote them
            keys = KeyMirror(core.store, core.data_dir, profile_of(settings).changed)
            engines.insert(0, ("mail", keys))
        for role, engine in engines:
            if role in roles:
                await engine.start()
                stack.push_async_callback(engine.stop)
        await group.take_part()
        calls.connect(core, sync)
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
        yield Gateway(core, app, sync, outbox, deliveries, idle)


@asynccontextmanager
async def _webhook_delivery(core: Core, group: ProcessGroup) -> AsyncIterator[WebhookDelivery]:
    """The engine that posts to webhooks. Its connections and DNS lookups are its own, so that posts and the files that
    callers have fetched do not wait for each other."""
    posts = most_posts(core.settings)
    client = SafeClient(fetch_policy(core.settings, questions=2 * posts), connections=posts)
    wires = {dialect.name: dialect.wire(core) for dialect in DIALECTS}
    sockets = SocketPresence(core.live, core.store, group.leases, group.wakeups)
    try:
        yield WebhookDelivery(
            core.store, core.events, client, core.settings, wires, sockets.was_sent, group.leases
        )
    finally:
        await client.close()
