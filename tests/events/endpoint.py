"""A webhook endpoint on loopback whose manners a test chooses, and a delivery engine that posts to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from gateway.configuration import load_settings
from gateway.events.deliver import SentOnSocket, WebhookDelivery
from gateway.events.dialect_format import Try, Wire
from gateway.events.log import EventLog
from gateway.events.webhook_signing import new_secret, sign
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.records.events import Event
from gateway.records.ids import InboxId, OrganizationId, new_ulid, now_us, number_of
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.databases import database_url

ORGANIZATION = OrganizationId("0" * 26)

Answer = Callable[[web.Request], Awaitable[web.Response]]


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def number(self) -> int:
        return int(msgspec.json.decode(self.body)["n"])


@dataclass
class Endpoint:
    """``answers`` by path; 204 where there is none. ``handler``: takes each request in place of ``handle``."""

    url: str = ""
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    posts: list[Post] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posts.append(Post(request.path, headers, await request.read()))
        answer = self.answers.get(request.path)
        return await answer(request) if answer else web.Response(status=204)

    def at(self, path: str) -> list[Post]:
        return [one for one in self.posts if one.path == path]


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    one = Endpoint()
    app = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await (one.handler or one.handle)(request)

    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield one
    finally:
        await runner.cleanup()


def settings_of(**overrides: Any) -> Settings:
    values = {"profile": "development", "webhooks.retry_scale": 0.01, **overrides}
    return load_settings(overrides=values, environ={})[0]


def open_store(path: Path) -> Store:
    store = Store(database_url(path))
    migrate(store)
    store.start()
    return store


@asynccontextmanager
async def engine(
    store: Store,
    log: EventLog,
    settings: Settings | None = None,
    *,
    wires: Mapping[str, Wire] | None = None,
    sent_on_socket: SentOnSocket | None = None,
) -> AsyncIterator[WebhookDelivery]:
    """A running delivery engine; without ``wires`` its one dialect posts an event's payload as it is."""
    settings = settings or settings_of()
    wires = wires or {"agentmail": Wire(render=payload_of, sign=sign)}
    async with SafeClient(fetch_policy(settings)) as client:
        one = WebhookDelivery(store, log, client, settings, wires, sent_on_socket)
        await one.start()
        try:
            yield one
        finally:
            await one.stop()


def payload_of(event: Event, attempt: Try) -> Any:
    return msgspec.json.decode(event.payload_json)


async def hook(store: Store, url: str, **more: Any) -> str:
    ulid = new_ulid()
    row = {
        "id": ulid,
        "number": number_of(ulid),
        "organization_id": ORGANIZATION,
        "url": url,
        "secret": new_secret(),
        "created_at": now_us(),
        "updated_at": now_us(),
        **more,
    }
    await store.write(lambda tx: sql(tx).insert("webhook", row))
    return ulid


async def happen(store: Store, log: EventLog, n: int, inbox: str = "a") -> None:
    await store.write(lambda tx: append(tx, log, n, inbox))


def append(tx: Tx, log: EventLog, n: int, inbox: str) -> None:
    log.append(
        tx,
        "message.received",
        organization_id=ORGANIZATION,
        inbox_id=InboxId(inbox),
        subject=f"{inbox}-{n}",
        payload={"n": n, "inbox": inbox, "text": "grüße \u2028 日本"},
    )
