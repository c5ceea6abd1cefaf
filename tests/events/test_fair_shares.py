"""Endpoints that hang, drip or answer slowly hold up nobody else's, however many they are and whosever.

The endpoints that hang are held open by the test: a neighbour's event arrives while they still hang.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.events.delivery_outcome import SECOND
from gateway.events.log import EventLog
from gateway.events.post_slots import Slot, Slots, Standing
from gateway.records.ids import InboxId, OrganizationId, new_ulid, now_us
from gateway.store.engine import Store
from gateway.store.queries import deliveries as queries
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from tests.events.endpoint import Endpoint, endpoint, engine, hook, open_store, settings_of
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "events.db")
    yield store
    store.close()


class Hanging:
    """Endpoints under ``/hang`` that answer nothing until ``let_go``; ``open`` of them are waited for now."""

    def __init__(self) -> None:
        self.open = self.most = 0
        self.by_path: dict[str, int] = {}
        self.let_go = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            return await self._answer(request)
        finally:
            self.open -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        while not self.let_go.is_set() and request.transport is not None:  # noqa: ASYNC110 - or the client leaves
            await asyncio.sleep(0.05)
        return web.Response()


class Dripping(Hanging):
    """An octet at a time, without an end."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not self.let_go.is_set() and request.transport is not None:
            await response.write(b".")
            await asyncio.sleep(0.05)
        return response


@asynccontextmanager
async def world(hanging: Hanging) -> AsyncIterator[Endpoint]:
    async with endpoint() as end:
        handle = end.handle

        async def by_path(request: web.Request) -> web.StreamResponse:
            return await (hanging.answer(request) if request.path.startswith("/hang") else handle(request))

        end.handler = by_path
        yield end
        hanging.let_go.set()


PATIENT = settings_of(**{"webhooks.timeout": 120.0})


@asynccontextmanager
async def letting_go(hanging: Hanging, running: Any) -> AsyncIterator[None]:
    async with running:
        try:
            yield
        finally:
            hanging.let_go.set()


async def hooks(store: Store, url: str, organization: str, count: int, **more: Any) -> None:
    for n in range(count):
        await hook(store, f"{url}/hang/{organization}/{n}", organization_id=organization, **more)


async def tell(store: Store, log: EventLog, organization: str, n: int, inboxes: int = 1) -> None:
    def write(tx: Tx) -> None:
        for box in range(inboxes):
            log.append(
                tx,
                "message.received",
                organization_id=OrganizationId(organization),
                inbox_id=InboxId(f"{organization}{box}"),
                subject=f"{organization}{box}-{n}",
                payload={"n": n},
            )

    await store.write(write)


async def test_one_organization_with_many_endpoints_that_hang_delays_no_other(db: Store) -> None:
    log, hanging = EventLog(), Hanging()
    async with world(hanging) as end, letting_go(hanging, engine(db, log, PATIENT)):
        await hooks(db, end.url, "attacker", 600)
        await hook(db, f"{end.url}/good", organization_id="neighbour")
        await tell(db, log, "attacker", 0)
        await until_async(lambda: hanging.open >= 8)
        for n in range(20):
            await tell(db, log, "neighbour", n)
            await until_async(lambda n=n: len(end.at("/good")) == n + 1, 60)
        assert hanging.open >= 8, "they hang still"
        assert hanging.most <= 64, "a quarter of all"


async def test_many_organizations_that_hang_delay_no_other(db: Store) -> None:
    """Each has less than its share; together they want far more than there is."""
    log, hanging = EventLog(), Hanging()
    settings = settings_of(**{"webhooks.timeout": 120.0, "webhooks.concurrency": 4})
    async with world(hanging) as end, letting_go(hanging, engine(db, log, settings)):
        for one in range(30):
            await hooks(db, end.url, f"attacker{one}", 4, succeeded_at=now_us())
        await hook(db, f"{end.url}/good", organization_id="neighbour")
        for one in range(30):
            await tell(db, log, f"attacker{one}", 0)
        await until_async(lambda: hanging.open >= 16)
        for n in range(10):
            await tell(db, log, "neighbour", n)
            await until_async(lambda n=n: len(end.at("/good")) == n + 1, 60)
        assert hanging.open >= 16
        assert hanging.most <= 2 * 32 + 4, "the prompt ones, the late ones, and the suspects'"


async def test_what_hung_before_gets_a_small_part_of_all_posts(db: Store) -> None:
    """Retries of any number of organizations' endpoints that timed out."""
    log, hanging = EventLog(), Hanging()
    async with world(hanging) as end, letting_go(hanging, engine(db, log, PATIENT)):
        for one in range(40):
            await hooks(db, end.url, f"attacker{one}", 3, failing_since=now_us() - SECOND)
            await tell(db, log, f"attacker{one}", 0)
        await until_async(lambda: hanging.open >= 32)
        await hook(db, f"{end.url}/good", organization_id="neighbour")
        for n in range(20):
            await tell(db, log, "neighbour", n)
            await until_async(lambda n=n: len(end.at("/good")) == n + 1, 60)
        assert (hanging.open, hanging.most) == (32, 32)


async def test_octets_that_drip_are_no_sign_of_life(db: Store) -> None:
    log, hanging = EventLog(), Dripping()
    async with world(hanging) as end, letting_go(hanging, engine(db, log, PATIENT)):
        await hooks(db, end.url, "attacker", 200)
        await hook(db, f"{end.url}/good", organization_id="neighbour")
        await tell(db, log, "attacker", 0)
        await until_async(lambda: hanging.open >= 8)
        for n in range(10):
            await tell(db, log, "neighbour", n)
            await until_async(lambda n=n: len(end.at("/good")) == n + 1, 60)
        assert hanging.open >= 8


async def test_a_host_that_hangs_leaves_its_organization_others(db: Store) -> None:
    log, hanging = EventLog(), Hanging()
    async with world(hanging) as end, letting_go(hanging, engine(db, log, PATIENT)):
        await hooks(db, end.url, "one", 200)
        await hook(db, end.url.replace("127.0.0.1", "localhost") + "/good", organization_id="one")
        for n in range(10):
            await tell(db, log, "one", n, inboxes=4)
            await until_async(lambda n=n: len(end.at("/good")) == 4 * (n + 1), 60)
        assert 8 <= hanging.open <= 32


async def test_each_organization_has_its_turn(db: Store) -> None:
    """A long queue of one is not looked through before the others' short ones."""
    log = EventLog()

    def pile(tx: Tx) -> None:
        for n in range(3000):
            log.append(
                tx,
                "message.received",
                organization_id=OrganizationId("busy"),
                inbox_id=InboxId(f"busy{n}"),
                subject=f"{n}",
                payload={"n": n},
            )
        for one in "abc":
            log.append(
                tx,
                "message.received",
                organization_id=OrganizationId(one),
                inbox_id=InboxId(one),
                subject=one,
                payload={"n": 0},
            )

    async with endpoint() as end:
        for one in ("busy", *"abc"):
            await hook(db, f"{end.url}/{one}", organization_id=one)
        await db.write(pile)
        found = await db.read(lambda tx: queries.unscoped_organizations_due(tx, now_us(), "b", 10))
        assert found == ["busy", "c", "a", "b"]
        async with engine(db, log):
            await until_async(lambda: all(end.at(f"/{one}") for one in "abc"), 60)
            assert len(end.at("/busy")) < 1500
            await until_async(lambda: len(end.at("/busy")) == 3000, 120)


def test_the_longest_of_who_has_most_is_cut_off_first() -> None:
    slots = Slots(8)
    taken = []
    for n in range(12):
        slot = Slot(f"lane{n}", "busy" if n % 2 else f"o{n}", f"h{n}", f"w{n}", Standing.PROVEN)
        assert not slots.refuses(slot) or slot.organization == "busy"
        slots.take(slot)
        slots.delay(slot)
        taken.append(slot)
    assert [one.lane for one in taken if one.cut] == ["lane1", "lane3", "lane5", "lane7"]
    for slot in taken:
        slots.give_back(slot)
    assert slots.room("busy") == Slots(8).room("busy")
    assert not slots.full_webhooks()


def test_somebody_elses_failures_at_a_host_suspect_nobody() -> None:
    slots = Slots(64)
    slots.suspect("attacker", "shared.example", "a")

    def of(organization: str, webhook: str, **known: bool) -> Standing:
        facts = {"failing": False, "succeeded": False, **known}
        return slots.standing(organization, "shared.example", webhook, **facts)

    assert of("attacker", "a", succeeded=True) is Standing.SUSPECT
    assert of("attacker", "b") is Standing.SUSPECT
    assert of("attacker", "c", succeeded=True) is Standing.PROVEN
    assert of("neighbour", "n") is Standing.NEW
    assert of("neighbour", "m", succeeded=True) is Standing.PROVEN
    assert of("neighbour", "m", failing=True) is Standing.SUSPECT
    slots.clear("attacker", "shared.example", "a")
    assert of("attacker", "a", succeeded=True) is Standing.PROVEN


async def test_a_delivery_of_an_earlier_version_is_posted_too(db: Store) -> None:
    """It bears no organization."""
    log = EventLog()
    async with endpoint() as end:
        ulid = await hook(db, f"{end.url}/old", organization_id=new_ulid())
        await tell(db, log, (await _hook(db, ulid))["organization_id"], 0)
        await db.write(lambda tx: sql(tx).run("UPDATE delivery SET organization_id = ''"))
        async with engine(db, log):
            await until_async(lambda: end.at("/old"))


async def _hook(db: Store, ulid: str) -> Row:
    row = await db.read(lambda tx: sql(tx).row("SELECT * FROM webhook WHERE id = ?", ulid))
    assert row is not None
    return row
