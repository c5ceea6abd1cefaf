"""A core with an outbox on a mail server of the test's choice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from gateway.core.context import Core
from gateway.events.log import EventLog
from gateway.mime.dkim_sign import generate_key
from gateway.mime.workers.parser_pool import ParserPool
from gateway.outbox.engine import Outbox
from gateway.outbox.retention import DAY_US
from gateway.records.ids import InboxId, OrganizationId, new_ulid, now_us, number_of
from gateway.records.inboxes import Inbox
from gateway.settings import Outbox as OutboxSettings
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.store.json_columns import load
from gateway.store.migrate import migrate
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.scope import Scope
from gateway.store.sql import Row, sql
from gateway.store.wake_event import WakeEvent
from mailserver.imap import ImapPool
from tests.outbox.sink import Sink, SinkMail
from tests.support.databases import database_url
from tests.support.waiting import until_async

ORG = OrganizationId("0rg" + "0" * 23)
SCOPE = Scope(ORG)


@lru_cache(maxsize=1)
def key() -> tuple[str, str]:
    return generate_key(1024)


@dataclass
class RunningOutbox:
    core: Core
    outbox: Outbox
    sink: Sink

    async def inbox(self, address: str = "agent@x.test", organization: str = ORG) -> Inbox:
        ulid = new_ulid()
        row = {
            "id": ulid,
            "number": number_of(ulid),
            "organization_id": organization,
            "pod_id": new_ulid(),
            "address": address,
            "username": address.partition("@")[0],
            "domain": address.partition("@")[2],
            "display_name": "Agent",
            "active_at": 0,
            "created_at": now_us(),
            "updated_at": now_us(),
        }
        await self.core.store.write(lambda tx: sql(tx).insert("inbox", row))
        found = await self.core.store.read(lambda tx: unscoped_inbox(tx, InboxId(ulid)))
        assert found is not None
        return found

    async def rows(self, query: str, *args: object) -> list[Row]:
        return await self.core.store.read(lambda tx: sql(tx).rows(query, *args))

    async def value(self, query: str, *args: object) -> Any:
        return await self.core.store.read(lambda tx: sql(tx).value(query, *args))

    async def events(self, message_id: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.rows("SELECT type, payload_json, message_id FROM event ORDER BY seq")
        return [
            (row["type"], load(row["payload_json"]))
            for row in rows
            if message_id is None or row["message_id"] == message_id
        ]

    async def states(self, message_id: str) -> dict[str, str]:
        rows = await self.rows(
            "SELECT address, role, state FROM outbox_recipient WHERE outbox_id = ?", message_id
        )
        return {row["address"] if row["role"] != "sent" else "sent": row["state"] for row in rows}

    async def settled(self, message_id: str, timeout: float = 15.0) -> dict[str, str]:
        async def done() -> bool:
            return bool(await self.value("SELECT 1 FROM outbox WHERE id = ? AND state = 'done'", message_id))

        await until_async(done, timeout)
        return await self.states(message_id)

    async def expires_after(self, tries: int, address: str) -> None:
        """Wait for ``tries`` of ``address``, then let everything queued be older than ``outbox.retry_days``.

        Tests that give a message up do not wait by the clock: on a busy machine any span may be over before the
        first try.
        """

        async def tried() -> bool:
            return self.sink.tries[address] >= tries

        await until_async(tried, 15.0)
        days = int(self.core.settings.outbox.retry_days) + 1
        await self.core.store.write(
            lambda tx: sql(tx).run("UPDATE outbox SET created_at = created_at - ?", days * DAY_US)
        )

    async def status(self, message_id: str) -> str:
        return str(await self.value("SELECT status FROM message WHERE id = ?", message_id))


def open_store(path: Path) -> Store:
    store = Store(database_url(path))
    migrate(store)
    store.start()
    if not store.read_now(lambda tx: sql(tx).value("SELECT 1 FROM domain")):
        private, public = key()
        row = {
            "name": "x.test",
            "number": 1,
            "organization_id": ORG,
            "dkim_selector": "p1",
            "dkim_private": private,
            "dkim_public": public,
            "created_at": 0,
            "updated_at": 0,
        }
        store.write_now(lambda tx: sql(tx).insert("domain", row))
    return store


@asynccontextmanager
async def running_outbox(
    path: Path,
    *,
    mail: Any = None,
    outbox: OutboxSettings | None = None,
    start: bool = True,
    **limits: int,
) -> AsyncIterator[RunningOutbox]:
    settings = Settings(outbox=outbox or OutboxSettings(retry_scale=0.0005))
    settings = msgspec.structs.replace(settings, limits=msgspec.structs.replace(settings.limits, **limits))
    async with AsyncExitStack() as stack:
        store = open_store(path / "rig.db")
        stack.callback(store.close)
        parser = await stack.enter_async_context(ParserPool(1))
        sink = Sink()
        await sink.start()
        stack.push_async_callback(sink.stop)
        if mail is None:
            mail = SinkMail(sink)
            stack.push_async_callback(mail.close)
        elif callable(mail):
            mail = mail(sink)
            stack.push_async_callback(mail.close)
        imap = ImapPool(mail.imap_login)
        stack.push_async_callback(imap.close)
        core = Core(
            settings=settings,
            store=store,
            mail=mail,
            imap=imap,
            parser=parser,
            fetcher=None,  # type: ignore[arg-type]
            events=EventLog(),
            outbox_wake=WakeEvent(),
            secret=b"s" * 32,
            data_dir=path,
        )
        engine = Outbox(store, mail, imap, core.events, settings, core.outbox_wake)
        if start:
            await engine.start()
        stack.push_async_callback(engine.stop)
        yield RunningOutbox(core, engine, sink)
