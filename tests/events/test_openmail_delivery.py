"""What the delivery engine does for OpenMail alone: each event for itself, an inbox's URL before the account's, a
socket before both, and never switched off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.api.openmail.wire import openmail_wire
from gateway.events.dialect_format import Wire
from gateway.events.log import EventLog
from gateway.records.events import Event
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.store.json_columns import load
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from tests.events.endpoint import (
    ORGANIZATION,
    Post,
    endpoint,
    engine,
    happen,
    hook,
    open_store,
    payload_of,
    settings_of,
)
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

# the real wire, but for the body: these events are not of real messages
WIRES: dict[str, Wire] = {"openmail": replace(openmail_wire(Settings()), render=payload_of)}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "events.db")
    yield store
    store.close()


async def openmail(db: Store, url: str, **more: Any) -> str:
    return await hook(db, url, dialect="openmail", **more)


def _first(tx: Tx) -> Row | None:
    return sql(tx).row("SELECT state, attempts FROM delivery ORDER BY id LIMIT 1")


def numbers(posts: list[Post]) -> list[int]:
    return [one.number for one in posts]


async def test_an_event_that_fails_holds_no_other_up(db: Store) -> None:
    log = EventLog()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=500 if (await request.json())["n"] == 1 else 200)

    async with endpoint() as end, engine(db, log, settings_of(**{"webhooks.retry_scale": 1.0}), wires=WIRES):
        end.answers["/hook"] = answer
        await openmail(db, end.url + "/hook")
        await happen(db, log, 1)
        await until_async(lambda: numbers(end.posts) == [1])
        for n in (2, 3):
            await happen(db, log, n)
        await until_async(lambda: len(end.posts) == 3)
        assert sorted(numbers(end.posts)) == [1, 2, 3]
        async with asyncio.timeout(10):  # its failure is written down; it waits half a minute
            while await db.read(_first) != {"state": "pending", "attempts": 1}:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)


async def test_an_inbox_url_replaces_the_account_url_for_that_inbox_only(db: Store) -> None:
    log = EventLog()
    async with endpoint() as end, engine(db, log, wires=WIRES):
        await openmail(db, end.url + "/account")
        own = await openmail(db, end.url + "/own", inbox_id="a")
        await happen(db, log, 1, inbox="a")
        await happen(db, log, 2, inbox="b")
        await until_async(lambda: len(end.posts) == 2)
        assert (numbers(end.at("/own")), numbers(end.at("/account"))) == ([1], [2])
        await db.write(lambda tx: sql(tx).update("webhook", "id", own, {"enabled": 0, "url": ""}))
        await happen(db, log, 3, inbox="a")
        await until_async(lambda: numbers(end.at("/account")) == [2, 3])


async def test_both_dialects_hear_of_an_inbox_with_a_url_of_its_own(db: Store) -> None:
    log = EventLog()
    wires = {**WIRES, "agentmail": replace(WIRES["openmail"], prefer_socket=frozenset())}
    async with endpoint() as end, engine(db, log, wires=wires):
        await hook(db, end.url + "/other")
        await openmail(db, end.url + "/own", inbox_id="a")
        await happen(db, log, 1, inbox="a")
        await until_async(lambda: len(end.posts) == 2)
        assert (numbers(end.at("/own")), numbers(end.at("/other"))) == ([1], [1])


async def test_what_a_socket_took_is_not_posted_but_a_suspension_always_is(db: Store) -> None:
    log = EventLog()
    asked: list[tuple[str, str]] = []

    async def sent_on_socket(dialect: str, event: Event) -> bool:
        asked.append((dialect, event.type))
        return bool(load(event.payload_json)["n"] == 1)

    async with endpoint() as end, engine(db, log, wires=WIRES, sent_on_socket=sent_on_socket):
        await openmail(db, end.url + "/hook")
        await happen(db, log, 1)
        await happen(db, log, 2)
        payload = {"n": 1}
        await db.write(
            lambda tx: log.append(
                tx,
                "inbox.suspended",
                organization_id=ORGANIZATION,
                subject="s",
                payload=payload,
            )
        )
        await until_async(lambda: sorted(numbers(end.posts)) == [1, 2])
        assert [one for one in asked if one[1] == "inbox.suspended"] == []
        assert asked.count(("openmail", "message.received")) == 2


async def test_an_endpoint_that_is_gone_stays_switched_on(db: Store) -> None:
    log = EventLog()

    async def gone(request: web.Request) -> web.Response:
        return web.Response(status=410)

    settings = settings_of(**{"webhooks.retry_scale": 0.0001, "webhooks.disable_after_days": 0.000001})
    async with endpoint() as end, engine(db, log, settings, wires=WIRES):
        end.answers["/hook"] = gone
        ulid = await openmail(db, end.url + "/hook")
        await happen(db, log, 1)
        await until_async(lambda: len(end.posts) == 5)
        await happen(db, log, 2)
        await until_async(lambda: len(end.posts) == 10)
        row = await db.read(lambda tx: sql(tx).row("SELECT * FROM webhook WHERE id = ?", ulid))
        assert row is not None
        assert row["enabled"] == 1
        assert {one.headers["x-event-id"] for one in end.posts[:5]} != {
            one.headers["x-event-id"] for one in end.posts[5:]
        }
