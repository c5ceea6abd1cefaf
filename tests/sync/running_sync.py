"""A sync engine on a real embedded mail server, with the ways to notice a change that a test wants."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import imapclient
import msgspec

from gateway.core.drafts.from_mailbox import MailboxDrafts
from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.ids import InboxId, new_ulid, now_us, number_of
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.settings import Sync as SyncSettings
from gateway.store.engine import Store
from gateway.store.leases import LocalLeases
from gateway.store.migrate import migrate
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.queries.list_entries import ListOwner, put_entry
from gateway.store.sql import Row, sql
from gateway.store.wake_event import WakeEvent
from gateway.store.wakeups import LocalWakeups
from gateway.sync.idle import IdleWatch
from gateway.sync.own_sessions import OwnSessions
from gateway.sync.scan import Scanner
from gateway.sync.schedule import Sync
from mailserver.base import Hint, ImapLogin, MailServer
from mailserver.imap import ImapPool
from tests.support.databases import database_url
from tests.support.servers import embedded_server
from tests.sync.imap_proxy import ImapProxy, imap_proxy


@dataclass
class RunningSync:
    mail: MailServer
    store: Store
    imap: ImapPool
    parser: ParserPool
    scanner: Scanner
    sync: Sync
    idle: IdleWatch
    proxy: ImapProxy
    made: WakeEvent
    inboxes: dict[str, Inbox] = field(default_factory=dict)

    async def inbox(self, address: str) -> Inbox:
        await self.mail.add_mailbox(address, "secret")
        ulid = new_ulid()
        row = {
            "id": ulid,
            "number": number_of(ulid),
            "organization_id": "o" * 26,
            "pod_id": "p" * 26,
            "address": address,
            "username": address.partition("@")[0],
            "domain": address.partition("@")[2],
            "active_at": 0,
            "created_at": now_us(),
            "updated_at": now_us(),
        }
        await self.store.write(lambda tx: sql(tx).insert("inbox", row))
        found = await self.store.read(lambda tx: unscoped_inbox(tx, InboxId(ulid)))
        assert found is not None
        self.inboxes[address] = found
        await self.sync.refresh(address)
        self.made.set()
        return found

    async def deliver(self, to: str, raw: bytes, sender: str = "ann@world.test") -> None:
        end = self.mail.access().smtp

        def send() -> None:
            with smtplib.SMTP(end.host, end.port, timeout=20) as smtp:
                smtp.sendmail(sender, [to], raw)

        await asyncio.to_thread(send)

    async def rows(self, query: str, *args: object) -> list[Row]:
        return await self.store.read(lambda tx: sql(tx).rows(query, *args))

    async def labels(self, subject: str) -> set[str]:
        return {
            row["label"]
            for row in await self.rows(
                "SELECT label FROM label JOIN message ON message.id = label.message_id WHERE subject = ?",
                subject,
            )
        }

    async def block(self, inbox: Inbox) -> None:
        """From here on mail of ``mail()`` is blocked on arrival: what is taken for new shows."""
        everybody = ListOwner(inbox.organization_id, None, None, "receive")
        await self.store.write(lambda tx: put_entry(tx, everybody, "block", "world.test", "domain", None))

    async def person(self, address: str, work: Callable[[imapclient.IMAPClient], Any]) -> Any:
        """Do something in the mailbox as its owner, with a mail client of their own."""
        return await asyncio.to_thread(self.person_now, address, work)

    def person_now(self, address: str, work: Callable[[imapclient.IMAPClient], Any]) -> Any:
        """``person`` for a thread that is none of the event loop's."""
        end = self.mail.access().imap
        with imapclient.IMAPClient(end.host, end.port, ssl=False) as client:
            client.login(address, "secret")
            return work(client)


def mail(n: int | str, *, extra: str = "", body: str = "hello") -> bytes:
    return (
        f"From: Ann <ann@world.test>\r\nTo: agent@x.test\r\nSubject: mail {n}\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <m{n}@world.test>\r\n{extra}\r\n{body} {n}\r\n"
    ).encode()


@asynccontextmanager
async def running_sync(
    tmp_path: Path,
    *,
    push: bool = True,
    idle: int = 0,
    catch_up: float = 3600.0,
    concurrency: int = 8,
    extractor: ExtractPool | None = None,
    proxied: bool = False,
    imap_timeout: float = 30.0,
) -> AsyncIterator[RunningSync]:
    settings = msgspec.structs.replace(
        Settings(),
        sync=SyncSettings(idle_connections=idle, catch_up_seconds=catch_up, concurrency=concurrency),
    )
    store = Store(database_url(tmp_path / "rig.db"))
    migrate(store)
    store.start()
    late: dict[str, Sync] = {}

    def on_hint(hint: Hint) -> None:
        if push and "sync" in late:
            late["sync"].hint(hint)

    async with (
        embedded_server(tmp_path / "mail", push=push, on_hint=on_hint) as server,
        ParserPool() as parser,
        imap_proxy(server.access().imap) as proxy,
    ):
        await server.add_domain("x.test")

        def login(address: str) -> ImapLogin:
            direct = server.imap_login(address)
            return replace(direct, endpoint=proxy.endpoint) if proxied else direct

        imap = ImapPool(login, timeout=imap_timeout)
        scanner = Scanner(
            store, imap, parser, EventLog(), MailboxDrafts(store), settings, extractor=extractor
        )
        sync = Sync(store, server, scanner, settings)
        made = WakeEvent()
        watch = IdleWatch(store, login, sync.hint, settings, made=made)
        server.sessions_closed = OwnSessions(imap, watch, LocalLeases(), LocalWakeups()).closed
        try:
            await sync.start()
            await watch.start()
            late["sync"] = sync
            yield RunningSync(server, store, imap, parser, scanner, sync, watch, proxy, made)
        finally:
            await watch.stop()
            await sync.stop()
            await imap.close()
            await asyncio.to_thread(store.close)
