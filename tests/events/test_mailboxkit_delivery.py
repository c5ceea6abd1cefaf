"""What the delivery engine does for MailboxKit alone: seven tries, ten seconds each, each a row."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from gateway.api.mailboxkit.wire import TRIES_AT, mailboxkit_wire
from gateway.core.webhooks import attempts as webhook_attempts
from gateway.core.webhooks.attempts import Tried
from gateway.events.dialect_format import Wire
from gateway.events.log import EventLog
from gateway.records.ids import WebhookId
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.store.listing import Window
from gateway.store.transaction import Tx
from tests.events.endpoint import endpoint, engine, happen, hook, open_store, payload_of, settings_of
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

# the real wire, but for the body: these events are not of real messages
WIRE: Wire = replace(mailboxkit_wire(Settings(), b"secret"), render=payload_of)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "events.db")
    yield store
    store.close()


async def subscribe(db: Store, url: str) -> str:
    return await hook(db, url, dialect="mailboxkit", event_types_json='["message.received"]')


async def rows_of(db: Store, webhook: str, count: int) -> list[Tried]:
    """The attempts of a webhook, newest first, when there are ``count``."""

    def read(tx: Tx) -> list[Tried]:
        return webhook_attempts.attempts_of(tx, WebhookId(webhook), Window(100), payloads=True).rows

    async with asyncio.timeout(20):
        while len(rows := await db.read(read)) < count:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.01)
    return rows


async def test_seven_tries_are_made_and_none_after_them(db: Store) -> None:
    log = EventLog()

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=410, text="x" * 5000)

    settings = settings_of(**{"webhooks.retry_scale": 0.000001, "webhooks.disable_after_days": 0.000001})
    async with endpoint() as end, engine(db, log, settings, wires={"mailboxkit": WIRE}):
        end.answers["/hook"] = broken
        webhook = await subscribe(db, end.url + "/hook")
        await happen(db, log, 1)
        rows = await rows_of(db, webhook, len(TRIES_AT))
        assert [one.attempt.number for one in rows] == [7, 6, 5, 4, 3, 2, 1]
        assert {one.state for one in rows} == {"failed"}
        assert [one.retry_at for one in rows] == [None] * 7
        assert {len(one.attempt.response or "") for one in rows} == {2048}
        assert len({one.body for one in end.posts}) == 1
        await happen(db, log, 2)  # the webhook is still on, though it answered Gone for all its days
        await until_async(lambda: 2 in [one.number for one in end.posts])
        assert [one.number for one in end.posts].count(1) == 7


async def test_the_dialect_says_how_long_an_endpoint_has(db: Store) -> None:
    log = EventLog()
    let_go = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response(status=200)

    hasty = replace(WIRE, timeout=0.2)
    settings = settings_of(**{"webhooks.timeout": 60.0, "webhooks.retry_scale": 1.0})
    async with endpoint() as end, engine(db, log, settings, wires={"mailboxkit": hasty}):
        end.answers["/hook"] = slow
        webhook = await subscribe(db, end.url + "/hook")
        await happen(db, log, 1)
        (row,) = await rows_of(db, webhook, 1)
        assert "TimedOut" in (row.attempt.error or "")
        assert (row.retry_at or 0) > row.attempt.created_at
        let_go.set()


async def test_a_list_of_attempts_holds_so_much_and_no_more(
    db: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog()
    monkeypatch.setattr(webhook_attempts, "PAYLOADS", 1)
    async with endpoint() as end, engine(db, log, wires={"mailboxkit": WIRE}):
        webhook = await subscribe(db, end.url + "/hook")
        for number in (1, 2, 3):
            await happen(db, log, number)
            await until_async(lambda: len(end.posts) == number)  # noqa: B023 - awaited within the turn
            rows = await rows_of(db, webhook, number)
        assert [one.event is None for one in rows] == [False, True, True]
        assert {one.event_type for one in rows} == {"message.received"}
