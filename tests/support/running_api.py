"""A gateway's API on the real embedded mail server, started through its own first run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.api.agentmail import agentmail_dialect
from gateway.api.system import system_routes
from gateway.configuration import load_settings
from gateway.core.accounts import bootstrap
from gateway.core.context import Core
from gateway.core.inboxes import inboxes
from gateway.events.log import EventLog
from gateway.mime.workers.parser_pool import ParserPool
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.scope import Scope
from gateway.store.wake_event import WakeEvent
from mailserver.imap import ImapPool
from tests.support.databases import database_url
from tests.support.servers import embedded_server


@dataclass
class RunningApi:
    core: Core
    app: Starlette
    api: httpx.AsyncClient
    key: str
    scope: Scope
    server: Any

    def as_key(self, key: str | None, **headers: str) -> httpx.AsyncClient:
        """The same API for another key."""
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers)

    async def other_organization(self) -> httpx.AsyncClient:
        made = await self.core.store.write(lambda tx: bootstrap.add_organization(tx, "Other"))
        return self.as_key(await bootstrap.make_key(self.core, "other", organization=made.id))


@asynccontextmanager
async def running_api(tmp_path: Path, **settings: Any) -> AsyncIterator[RunningApi]:
    """Everything but the engines. ``settings``: dotted names with __ for the dot."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_server(tmp_path / "mail"))
        chosen, _ = load_settings(
            overrides={
                "profile": "development",
                "data_dir": str(tmp_path),
                "dns.nameservers": "127.0.0.1",
                "dns.port": 9,
                "dns.timeout": 0.5,
                **{name.replace("__", "."): value for name, value in settings.items()},
            },
            environ={},
        )
        store = Store(database_url(tmp_path / "postern.db"))
        await asyncio.to_thread(migrate, store)
        store.start()
        stack.callback(store.close)
        parser = ParserPool()
        await parser.start()
        stack.push_async_callback(parser.close)
        fetcher = SafeClient(fetch_policy(chosen))
        stack.push_async_callback(fetcher.close)
        imap = ImapPool(server.imap_login, size=8)
        stack.push_async_callback(imap.close)
        core = Core(
            settings=chosen,
            store=store,
            mail=server,
            imap=imap,
            parser=parser,
            fetcher=fetcher,
            events=EventLog(),
            outbox_wake=WakeEvent(),
            secret=b"s" * 32,
            data_dir=tmp_path,
        )
        await bootstrap.ensure_first_run(core)
        await inboxes.finish_deletions(core)
        await bootstrap.reconcile_mail_server(core)
        key = await bootstrap.make_key(core, "tests")
        scope = await core.keys.identify(store, key)
        assert scope is not None
        stack.push_async_callback(core.keys.settle)
        app = Starlette(
            routes=[
                *system_routes(core, {"sync_lag": lambda: 0.0}, [agentmail_dialect]),
                *agentmail_dialect.routes(core),
            ]
        )
        made = RunningApi(core, app, httpx.AsyncClient(), key, scope, server)
        await made.api.aclose()
        made.api = await stack.enter_async_context(made.as_key(key))
        yield made
