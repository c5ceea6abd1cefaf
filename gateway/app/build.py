"""The parts that the gateway and the commands that work without one need: database, parser, mail server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from gateway.app.roles import ProcessGroup, Role, join_group
from gateway.core.accounts import bootstrap
from gateway.core.context import Core
from gateway.core.drafts.from_mailbox import MailboxDrafts
from gateway.core.inboxes import inboxes
from gateway.core.key_ring import KeyRing
from gateway.datadir import lock_data_dir, lock_mail_files, private_file, read_secret
from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mail_choice import disks_of, make_mail_server
from gateway.mime.workers.parser_pool import ParserPool
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.service.notify import Manager
from gateway.settings import Settings
from gateway.store.database_url import database_url, sqlite_file
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.postgres import is_postgres
from gateway.store.sealing import Sealer
from gateway.store.wake_event import WakeEvent
from gateway.sync.mailbox_ownership import MailboxOwnership
from gateway.sync.scan import Scanner
from mailserver.base import Hint, MailServer, Submission
from mailserver.imap import ImapPool
from mailserver.inflight import InFlight
from mailserver.memory import Memory

log = logging.getLogger("postern")


@asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """The parts every command needs: database, parser, mail server; no engine, no HTTP.

    Raises DataDirInUse, SchemaTooNew, WrongKey, MailServerError with a text for the operator.
    """
    async with build_core(settings, lambda hint: None, _refuse_submission, Manager(), None) as (core, _):
        yield core


def scanner_of(core: Core, ownership: MailboxOwnership | None = None) -> Scanner:
    """What scans mailboxes, for the sync (``ownership``: of those that it scans) or a command (all)."""
    return Scanner(
        core.store,
        core.imap,
        core.parser,
        core.events,
        MailboxDrafts(core.store),
        core.settings,
        extractor=core.extractor,
        ownership=ownership,
        memory=core.memory,
    )


async def _refuse_submission(submission: Submission) -> str:
    raise RuntimeError("submissions need a running gateway")


@asynccontextmanager
async def build_core(
    settings: Settings,
    on_hint: Callable[[Hint], None],
    on_submission: Callable[[Submission], Awaitable[str]],
    manager: Manager,
    roles: frozenset[Role] | None,
) -> AsyncIterator[tuple[Core, ProcessGroup]]:
    """The parts, started, and the processes that this one works with.

    ``on_hint``, ``on_submission``: what the mail server calls when a mailbox changed, and when a person submits
    a message. ``roles`` None: for a command, which is alone.
    """
    attach = roles is not None and "mail" not in roles
    async with AsyncExitStack() as stack:
        shared = roles is not None and is_postgres(settings.database.url)
        data_dir = stack.enter_context(lock_data_dir(Path(settings.data_dir), shared=shared))
        if not attach and (settings.mail.server == "embedded" or settings.mail.manage):
            stack.enter_context(lock_mail_files(data_dir))
        secret = read_secret(data_dir)
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
        group = await stack.enter_async_context(join_group(store, roles))
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
            events=EventLog(group.wakeups, settings.webhooks.retry_scale),
            outbox_wake=WakeEvent().shared(group.wakeups, "outbox"),
            inbox_wake=WakeEvent().shared(group.wakeups, "inboxes"),
            secret=secret,
            data_dir=data_dir,
            extractor=extractor,
            leases=group.leases,
            keys=KeyRing(group.wakeups),
            memory=memory,
            inflight=inflight,
            disks=disks,
        )
        await bootstrap.ensure_first_run(core)
        manager.status("starting: giving the mail server its domains and mailboxes")
        async with manager.busy():
            if group.first:
                await bootstrap.patiently(partial(inboxes.finish_deletions, core))
                await bootstrap.patiently(partial(bootstrap.reconcile_mail_server, core))
        yield core, group
