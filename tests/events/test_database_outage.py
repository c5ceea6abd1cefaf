"""A database that goes away under deliveries: each loop goes on, with a line in the log and no traceback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from aiohttp import web

from gateway.events.dialect_format import Wire
from gateway.events.live import LiveEvents, Stream
from gateway.events.log import EventLog
from gateway.events.webhook_signing import sign
from gateway.records.events import Event
from gateway.records.ids import WebhookId
from gateway.store.engine import Store, StoreDown
from gateway.store.migrate import migrate
from gateway.store.queries.deliveries import DueLane
from tests.events.endpoint import ORGANIZATION, endpoint, engine, happen, hook, payload_of, settings_of
from tests.support.postgres_server import PostgresCluster, postgres_cluster
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A cluster to kill."""
    with postgres_cluster(tmp_path_factory.mktemp("own")) as cluster:
        yield cluster


@pytest.fixture
def db(own: PostgresCluster) -> Iterator[Store]:
    store = Store(own.new_database(), connections=4)
    migrate(store)
    store.start()
    yield store
    store.close()


WIRES = {"agentmail": Wire(render=payload_of, sign=sign, prefer_socket=frozenset({"message.received"}))}


async def on_no_socket(dialect: str, event: Event) -> bool:
    raise StoreDown("the processes that serve the API cannot be asked")


async def test_deliveries_and_sockets_go_on_after_the_database_was_away(
    own: PostgresCluster, db: Store, caplog: pytest.LogCaptureFixture
) -> None:
    log, live, stream = EventLog(), LiveEvents(), Stream(ORGANIZATION, lambda event: True)
    holds = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await holds.wait()
        return web.Response()

    async with endpoint() as end, engine(db, log, settings_of(), wires=WIRES, sent_on_socket=on_no_socket):
        end.answers["/hook"] = slow
        await hook(db, f"{end.url}/hook")
        await live.join(stream, db, log)
        for n in range(12):
            await happen(db, log, n, inbox=f"i{n}")
        await until_async(lambda: len(end.posts) >= 8)
        with caplog.at_level(logging.INFO):
            await asyncio.to_thread(own.kill)
            holds.set()  # what is answered now cannot be written down; what is due next cannot be read
            await until_async(lambda: "wait for the database" in caplog.text)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(own.start)
            for n in range(12, 20):
                while True:
                    try:
                        await happen(db, log, n, inbox=f"i{n % 4}")
                        break
                    except StoreDown:
                        await asyncio.sleep(0.1)
            await until_async(lambda: {one.number for one in end.posts} == set(range(20)), 60)
        assert [one for one in caplog.records if one.exc_info] == []
        told = set()
        async with asyncio.timeout(30):
            while len(told) < 20:
                happened = await stream.next()
                assert happened is not None
                told.add(happened.event.id)
        assert not stream.lost.is_set()
        assert "whether a socket was sent event" in caplog.text, "and it was posted"
    live.leave(stream)


async def test_a_lane_whose_head_cannot_be_read_ends_in_words(
    own: PostgresCluster, db: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The look found it due; the database went away before the head was read."""
    log = EventLog()
    async with endpoint() as end, engine(db, log) as deliveries:
        await hook(db, f"{end.url}/hook")
        await happen(db, log, 1)
        await until_async(lambda: len(end.posts) == 1)
        await asyncio.to_thread(own.kill)
        due = DueLane("w/a", 0, WebhookId("w"), end.url, failing_since=None, succeeded_at=1)
        with caplog.at_level(logging.INFO):
            assert deliveries._open_lane(due, ORGANIZATION)
            await until_async(
                lambda: "the deliveries of webhook wh_w for inbox inb_a wait for the database" in caplog.text,
                30,
            )
        assert [one for one in caplog.records if one.exc_info] == []
        assert not deliveries._open_lane(due, ORGANIZATION), "it rests a little"
        await asyncio.to_thread(own.start)
        await until_async(lambda: deliveries._open_lane(due, ORGANIZATION), 30)
        await happen(db, log, 2)
        await until_async(lambda: len(end.posts) == 2, 30)
