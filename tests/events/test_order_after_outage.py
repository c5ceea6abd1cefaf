"""What an endpoint gets after an outage, however long: everything, in order within an inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.events.delivery_outcome import SECOND
from gateway.events.log import EventLog
from gateway.events.schedule import SPAN, WAITS
from gateway.records.ids import WebhookId, now_us
from gateway.store.engine import Store
from gateway.store.queries import deliveries as queries
from gateway.store.sql import Row, sql
from tests.events.endpoint import endpoint, engine, happen, hook, open_store, settings_of
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

SCALE = 0.00002
"""An hour in 72 ms."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "events.db")
    yield store
    store.close()


class Door:
    """An endpoint that takes nothing while ``status`` is no 2xx. ``taken``: the events it took, by inbox."""

    def __init__(self, status: int = 503) -> None:
        self.status = status
        self.asked = 0
        self.taken: dict[str, list[int]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        event = await request.json()
        self.asked += 1
        if self.status < 300:
            self.taken.setdefault(event["inbox"], []).append(event["n"])
        return web.Response(status=self.status)

    @property
    def count(self) -> int:
        return sum(map(len, self.taken.values()))


async def webhook(db: Store) -> Row:
    row = await db.read(lambda tx: sql(tx).row("SELECT * FROM webhook"))
    assert row is not None
    return row


async def deliveries(db: Store, **wanted: Any) -> list[Row]:
    rows = await db.read(lambda tx: sql(tx).rows("SELECT * FROM delivery ORDER BY id"))
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


async def switched_off(db: Store) -> None:
    async with asyncio.timeout(20):
        while (await webhook(db))["enabled"]:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.01)


def scaled(**more: Any) -> Any:
    return settings_of(**{"webhooks.retry_scale": SCALE, **more})


async def test_after_75_hours_everything_comes_in_order(db: Store) -> None:
    log, door = EventLog(retry_scale=SCALE), Door()
    async with endpoint() as end, engine(db, log, scaled()):
        end.answers["/hook"] = door.answer
        await hook(db, f"{end.url}/hook")
        for n in range(189):
            await happen(db, log, n, inbox="abc"[n % 3])
            await asyncio.sleep(75 * 3600 * SCALE / 189)
        assert door.count == 0
        door.status = 200
        for n in range(189, 195):
            await happen(db, log, n, inbox="abc"[n % 3])
        await until_async(lambda: door.count == 195, 60)
        assert door.taken == {inbox: list(range(at, 195, 3)) for at, inbox in enumerate("abc")}


async def test_a_success_makes_the_other_inboxes_due(db: Store) -> None:
    """Their heads wait for hours; nothing new comes for them."""
    log, door = EventLog(), Door(200)
    async with endpoint() as end:
        end.answers["/hook"] = door.answer
        ulid = await hook(db, f"{end.url}/hook", failing_since=now_us() - 9 * 3600 * SECOND)
        for n in range(12):
            await happen(db, log, n, inbox="abcd"[n % 4])
        hours = now_us() + 5 * 3600 * SECOND
        await db.write(
            lambda tx: sql(tx).run(
                "UPDATE delivery SET attempts = 9, tried_at = ?, next_at = ?, planned_at = ? WHERE next_at = 0",
                *(now_us() - 3600 * SECOND, hours, hours),
            )
        )
        settings = settings_of(**{"webhooks.retry_scale": 1.0})
        async with engine(db, log, settings):
            await happen(db, log, 99, inbox="e")
            await until_async(lambda: door.count == 13)
            assert door.taken["e"] == [99]
            assert {inbox: door.taken[inbox] for inbox in "abcd"} == {
                inbox: list(range(at, 12, 4)) for at, inbox in enumerate("abcd")
            }
        assert (await db.read(lambda tx: sql(tx).row("SELECT * FROM webhook WHERE id = ?", ulid)) or {})[
            "failing_since"
        ] is None


async def test_a_new_event_has_the_oldest_tried_and_that_counts_for_nothing(db: Store) -> None:
    log, door = EventLog(), Door()
    async with endpoint() as end:
        end.answers["/hook"] = door.answer
        await hook(db, f"{end.url}/hook", failing_since=now_us() - 9 * 3600 * SECOND)
        await happen(db, log, 1)
        hours = now_us() + 5 * 3600 * SECOND
        await db.write(
            lambda tx: sql(tx).run(
                "UPDATE delivery SET attempts = 9, tried_at = ?, next_at = ?, planned_at = ?",
                *(now_us() - 3600 * SECOND, hours, hours),
            )
        )
        async with engine(db, log, settings_of(**{"webhooks.retry_scale": 1.0})):
            await happen(db, log, 2)
            await until_async(lambda: door.asked == 1)
            async with asyncio.timeout(10):
                while (await deliveries(db))[0]["next_at"] != hours:  # noqa: ASYNC110 - the database has no event
                    await asyncio.sleep(0.01)
            assert (await deliveries(db))[0]["attempts"] == 9
            await happen(db, log, 3)  # at most once a minute
            await asyncio.sleep(0.3)
            assert door.asked == 1
            await db.write(lambda tx: sql(tx).run("UPDATE delivery SET tried_at = 0 WHERE attempts = 9"))
            door.status = 200
            await happen(db, log, 4)
            await until_async(lambda: door.taken.get("a") == [1, 2, 3, 4])


async def test_nothing_is_given_up_because_the_endpoint_was_away(db: Store) -> None:
    log, door = EventLog(), Door()
    settings = scaled(**{"webhooks.disable_after_days": 30.0})
    async with endpoint() as end, engine(db, log, settings):
        end.answers["/hook"] = door.answer
        await hook(db, f"{end.url}/hook")
        for n in range(3):
            await happen(db, log, n)
        await until_async(lambda: door.asked > len(WAITS) + 15, 60)
        assert SPAN * SCALE > 1
        assert await deliveries(db, state="failed") == []
        await asyncio.sleep(WAITS[-1] * SCALE / 2)  # not between a head and the next one: see below
        door.status = 200
        await until_async(lambda: door.taken.get("a") == [0, 1, 2], 60)


async def test_what_comes_while_a_webhook_is_switched_off_waits_for_its_return(db: Store) -> None:
    log, door = EventLog(), Door(410)
    async with endpoint() as end, engine(db, log, scaled()):
        end.answers["/hook"] = door.answer
        ulid = await hook(db, f"{end.url}/hook")
        for n in range(4):
            await happen(db, log, n, inbox="ab"[n % 2])
        await switched_off(db)
        for n in range(4, 40):
            await happen(db, log, n, inbox="ab"[n % 2])
        asked = door.asked
        await asyncio.sleep(0.5)
        assert door.asked <= asked + 2, "nothing is posted but what was on its way"
        assert {row["state"] for row in await deliveries(db)} == {"pending"}
        assert await db.read(queries.unscoped_waiting_deliveries) == 0
        await db.write(queries.unscoped_promote_heads)
        assert not await db.read(lambda tx: queries.unscoped_organizations_due(tx, now_us(), "", 10))
        door.status = 200

        def switch_on(tx: Any) -> None:
            sql(tx).run("UPDATE webhook SET enabled = 1, failing_since = NULL, disabled_reason = NULL")
            queries.resume_pending(tx, WebhookId(ulid))

        await db.write(switch_on)
        log.wake()
        await until_async(lambda: door.count == 40)
        assert door.taken == {"a": list(range(0, 40, 2)), "b": list(range(1, 40, 2))}


async def test_so_many_wait_for_one_that_is_switched_off_and_so_long(db: Store) -> None:
    log = EventLog()
    ulid = await hook(db, "http://127.0.0.1:9099/", enabled=0, disabled_reason="it kept failing")
    await hook(db, "http://127.0.0.1:9099/own", enabled=0)  # switched off by its owner: nothing waits
    for n in range(10):
        await happen(db, log, n)
    assert {row["webhook_id"] for row in await deliveries(db)} == {ulid}
    await db.write(lambda tx: queries.unscoped_drop_surplus(tx, 10, 0))
    assert len(await deliveries(db, state="pending")) == 10
    await db.write(lambda tx: queries.unscoped_drop_surplus(tx, 6, 0))
    assert [row["state"] for row in await deliveries(db)] == ["failed"] * 4 + ["pending"] * 6
    await db.write(lambda tx: sql(tx).run("UPDATE delivery SET created_at = 1 WHERE id <= 5"))
    await db.write(lambda tx: queries.unscoped_drop_surplus(tx, 6, 2))
    assert len(await deliveries(db, state="pending")) == 5


async def test_one_that_is_refused_alone_is_passed_over_and_tried_again(db: Store) -> None:
    """Later events go on only after the endpoint refused it five times and took the next right after."""
    log, refused, taken = EventLog(), set[int]({0}), list[int]()
    tries: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        n = (await request.json())["n"]
        tries.append(n)
        if n in refused:
            return web.Response(status=500)
        taken.append(n)
        return web.Response()

    async with endpoint() as end, engine(db, log, scaled()):
        end.answers["/hook"] = answer
        await hook(db, f"{end.url}/hook")
        for n in range(5):
            await happen(db, log, n)
        await until_async(lambda: taken == [1, 2, 3, 4])
        assert tries[:6] == [0, 0, 0, 0, 0, 1]
        refused.clear()
        await until_async(lambda: 0 in taken)
