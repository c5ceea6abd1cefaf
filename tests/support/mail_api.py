"""A gateway on the real embedded mail server: store, outbox, sync and the /api/v0 endpoints, without a listener."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.api.agentmail import agentmail_dialect
from gateway.configuration import load_settings
from gateway.core.context import Core
from gateway.core.drafts.from_mailbox import MailboxDrafts
from gateway.events.log import EventLog
from gateway.mime.workers.parser_pool import ParserPool
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.outbox.engine import Outbox
from gateway.records.ids import InboxId, OrganizationId, new_ulid, now_us, number_of
from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.wake_event import WakeEvent
from gateway.sync.scan import Scanner
from gateway.sync.schedule import Sync
from mailserver.base import Hint
from mailserver.imap import Client, ImapPool
from tests.support.databases import database_url
from tests.support.servers import embedded_server
from tests.support.waiting import until_async

KEY = "inai_" + "k" * 40
FOREIGN_KEY = "inai_" + "f" * 40


@dataclass
class MailApi:
    core: Core
    api: httpx.AsyncClient
    scope: Scope
    sync: Sync
    server: Any
    inboxes: dict[str, Inbox] = field(default_factory=dict)

    async def inbox(self, address: str, organization: str | None = None) -> Inbox:
        now, ulid = now_us(), new_ulid()
        await self.core.mail.add_mailbox(address, None)
        row = {
            "id": ulid,
            "number": number_of(ulid),
            "organization_id": organization or self.scope.organization,
            "pod_id": "pod",
            "address": address,
            "username": address.split("@")[0],
            "domain": address.split("@")[1],
            "active_at": now,
            "created_at": now,
            "updated_at": now,
        }
        await self.core.store.write(lambda tx: sql(tx).insert("inbox", row))
        found = await self.core.store.read(lambda tx: unscoped_inbox(tx, InboxId(ulid)))
        assert found is not None
        self.inboxes[address] = found
        return found

    async def deliver(self, to: str, raw: bytes, sender: str = "ann@far.example") -> None:
        end = self.core.mail.access().smtp

        def post() -> None:
            with smtplib.SMTP(end.host, end.port, timeout=10) as smtp:
                smtp.sendmail(sender, [to], raw)

        await asyncio.to_thread(post)

    async def messages(self, address: str, **query: Any) -> list[dict[str, Any]]:
        got = await self.api.get(f"/api/v0/inboxes/{address}/messages", params=query)
        assert got.status_code == 200, got.text
        return got.json()["messages"]

    async def arrived(self, address: str, raw: bytes, subject: str) -> dict[str, Any]:
        await self.deliver(address, raw)

        async def look() -> Any:
            found = await self.messages(address, subject=subject)
            return found and found[0]

        return await until_async(look)

    async def imap(self, address: str, work: Callable[[Client], Any]) -> Any:
        """What a person sees, on a connection of its own."""

        def run() -> Any:
            client = Client(self.core.mail.imap_login(address))
            try:
                return work(client)
            finally:
                client.logout()

        return await asyncio.to_thread(run)

    async def flags(self, address: str, folder: str) -> dict[int, set[str]]:
        def work(client: Client) -> dict[int, set[str]]:
            if not client.open(folder, readonly=True)[b"EXISTS"]:
                return {}
            rows, _ = client.fetch_set("1:*", ["UID", "FLAGS"])
            return {uid: {one.decode() for one in row[b"FLAGS"]} - {"\\Recent"} for uid, row in rows.items()}

        return await self.imap(address, work)


@asynccontextmanager
async def mail_api(tmp_path: Path, **overrides: Any) -> AsyncIterator[MailApi]:
    settings, _ = load_settings(overrides={"profile": "development", **overrides}, environ={})
    late: dict[str, Sync] = {}

    def on_hint(hint: Hint) -> None:
        if "sync" in late:
            late["sync"].hint(hint)

    async def refuse(submission: Any) -> str:
        raise RuntimeError

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_server(tmp_path, on_hint, refuse))
        store = Store(database_url(tmp_path / "running.db"))
        migrate(store)
        store.start()
        stack.callback(store.close)
        parser = await stack.enter_async_context(ParserPool(1))
        fetcher = await stack.enter_async_context(SafeClient(fetch_policy(settings)))
        imap = ImapPool(server.imap_login)
        stack.push_async_callback(imap.close)
        core = Core(
            settings, store, server, imap, parser, fetcher, EventLog(), WakeEvent(), b"s" * 32, tmp_path
        )
        await server.add_domain("postern.test")
        organization, foreign = new_ulid(), new_ulid()
        for one, key in ((organization, KEY), (foreign, FOREIGN_KEY)):
            row = {
                "id": (key_id := new_ulid()),
                "number": number_of(key_id),
                "organization_id": one,
                "prefix": key[:9],
                "last4": key[-4:],
                "hash": hashlib.sha256(key.encode()).hexdigest(),
                "created_at": 0,
                "updated_at": 0,
            }
            await store.write(lambda tx, row=row: sql(tx).insert("api_key", row))
            org = {"id": one, "name": "Org", "created_at": 0, "updated_at": 0}
            await store.write(lambda tx, org=org: sql(tx).insert("organization", org))
        scanner = Scanner(store, imap, parser, core.events, MailboxDrafts(store), settings)
        sync = Sync(store, server, scanner, settings)
        outbox = Outbox(store, server, imap, core.events, settings, core.outbox_wake)
        for engine in (outbox, sync):
            await engine.start()
            stack.push_async_callback(engine.stop)
        late["sync"] = sync
        app = Starlette(routes=agentmail_dialect.routes(core))
        api = await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="https://gw.test",
                timeout=30,
                headers={"Authorization": f"Bearer {KEY}"},
            )
        )
        yield MailApi(core, api, Scope(OrganizationId(organization)), sync, server)
