"""One channel (contract: OpenMail §8, B8): a subscribed, matching socket keeps an event from the webhook, if the
socket was really sent it; what was posted can be replayed all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from gateway.api import event_socket
from gateway.api.event_socket import SocketProtocol
from gateway.api.openmail import socket as socket_module
from gateway.api.openmail.wire import openmail_wire
from gateway.core.context import Core
from gateway.core.webhooks import single_webhook
from gateway.events import live
from gateway.events.deliver import WebhookDelivery
from gateway.net.client import SafeClient
from gateway.net.policy import fetch_policy
from gateway.records.events import Event
from gateway.store.sql import sql
from tests.api_openmail.socket_server import Place, ask, ending, serving, stuck, subjects, subscribe
from tests.events.endpoint import Endpoint, endpoint
from tests.support.filled_store import FilledStore
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

TEXT = "y" * 50_000
"""More than a client that reads nothing can be sent."""


class Hooked:
    """A served gateway whose account has a webhook, and what its endpoint got."""

    def __init__(self, place: Place, end: Endpoint) -> None:
        self.place, self.end = place, end

    @property
    def posted(self) -> list[str]:
        return [one.headers["x-event-id"] for one in self.end.posts]

    async def waiting(self, state: str) -> list[str]:
        """The events of deliveries in a state."""
        query = "SELECT event.id FROM delivery JOIN event ON event.seq = event_seq WHERE state = ?"
        rows = await self.place.core.store.read(lambda tx: sql(tx).rows(query, state))
        return [f"evt_{one['id']}" for one in rows]

    async def settled(self, count: int, state: str = "done") -> None:
        """Wait until this many deliveries ended, well if not said otherwise."""
        async with asyncio.timeout(30):
            while len(await self.waiting(state)) < count:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def delivering(place: Place, url: str) -> AsyncIterator[WebhookDelivery]:
    """A running delivery engine, and the account's webhook at ``url``."""
    core, owner = place.core, single_webhook.Owner(place.filled.organization)
    wires = {"openmail": openmail_wire(core.settings)}
    async with SafeClient(fetch_policy(core.settings)) as client:
        with_client = replace(core, fetcher=client)
        await core.store.write(lambda tx: single_webhook.put(tx, with_client, owner, url))
        engine = WebhookDelivery(core.store, core.events, client, core.settings, wires, core.live.was_sent)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[Hooked]:
    filled = FilledStore(tmp_path)
    try:
        async with (
            serving(filled, webhooks__retry_scale=0.001) as place,
            endpoint() as end,
            delivering(place, f"{end.url}/hook"),
            asyncio.timeout(60),
        ):
            yield Hooked(place, end)
    finally:
        filled.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that are cut which take a third of a second over a frame."""
    plain = socket_module._manner
    monkeypatch.setattr(socket_module, "_manner", lambda core: replace(plain(core), patience=0.3))


async def test_a_subscribed_socket_keeps_the_event_from_the_webhook(hooked: Hooked) -> None:
    async with hooked.place.connect() as socket:
        await subscribe(socket)
        for n in range(20):
            hooked.place.happen(str(n))
        assert await subjects(socket, 20) == [str(n) for n in range(20)]
        await hooked.settled(20)
    assert hooked.posted == []


async def test_it_is_kept_from_the_webhook_though_the_socket_left_at_once(hooked: Hooked) -> None:
    for n in range(5):
        async with hooked.place.connect() as socket:
            await subscribe(socket)
            hooked.place.happen(str(n))
            await subjects(socket, 1)
            socket.transport.abort()
    await hooked.settled(5)
    assert hooked.posted == []


async def test_a_socket_that_does_not_match_leaves_it_to_the_webhook(hooked: Hooked) -> None:
    place = hooked.place
    second = place.filled.inbox("second@postern.test")
    async with place.connect() as unsubscribed, place.connect() as elsewhere, place.connect() as silent:
        await subscribe(unsubscribed)
        await ask(unsubscribed, "unsubscribe")
        await subscribe(elsewhere, inbox_ids=["second@postern.test"])
        posted = place.happen("posted")
        heard = place.happen("heard", second)
        assert await subjects(elsewhere, 1) == ["heard"]
        await hooked.settled(2)
        assert await ask(silent, "ping") == {"type": "pong"}
    assert hooked.posted == [posted]
    assert heard not in hooked.posted


async def test_what_was_posted_or_failed_can_be_replayed(hooked: Hooked) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=500)

    first = hooked.place.happen("first")
    hooked.place.happen("posted")
    await hooked.settled(2)
    hooked.end.answers["/hook"] = refuse
    hooked.place.happen("failed")
    await hooked.settled(1, "failed")
    async with hooked.place.connect() as socket:
        await subscribe(socket, last_event_id=first)
        assert await subjects(socket, 2) == ["posted", "failed"]


async def test_events_of_before_the_subscription_are_posted_at_once(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket promises nothing that it will not send: no delivery waits for it."""
    monkeypatch.setattr(live, "PATIENCE", 3600.0)
    gate = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await gate.wait()
        return web.Response(status=204)

    hooked.end.answers["/hook"] = wait
    early = [hooked.place.happen(str(n)) for n in range(30)]  # more than are posted side by side
    await until_async(lambda: hooked.posted)
    async with hooked.place.connect() as witness, hooked.place.connect() as socket:
        await subscribe(witness, last_event_id=early[-1])
        await subscribe(socket)
        gate.set()
        await hooked.settled(30)
    assert sorted(hooked.posted) == sorted(early)


async def test_events_of_during_a_replay_wait_for_it(hooked: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_socket, "_EVENTS", 1)
    place = hooked.place
    old = [place.happen(f"old {n}") for n in range(200)]
    await hooked.settled(200)
    async with place.connect() as socket:
        await subscribe(socket, last_event_id=old[0])
        for n in range(5):
            place.happen(f"new {n}")
        heard = await subjects(socket, 204)
        await hooked.settled(205)
    assert heard[-5:] == [f"new {n}" for n in range(5)]
    assert sorted(hooked.posted) == sorted(old)


async def test_a_number_given_out_again_is_kept_from_the_webhook(hooked: Hooked) -> None:
    """Deleting an inbox takes its events away; SQLite then gives their numbers to others."""
    place = hooked.place
    async with place.connect() as socket:
        await subscribe(socket)
        gone = [place.happen(f"goes {n}").removeprefix("evt_") for n in range(10)]
        await subjects(socket, 10)
        await hooked.settled(10)
        marks = ", ".join("?" * len(gone))
        await place.core.store.write(
            lambda tx: sql(tx).run(f"DELETE FROM event WHERE id IN ({marks})", *gone)
        )
        for n in range(5):
            place.happen(f"new {n}")
        assert await subjects(socket, 5) == [f"new {n}" for n in range(5)]
        await hooked.settled(5)
    assert hooked.posted == []


async def test_an_event_that_cannot_be_shown_stops_nothing(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = socket_module._manner

    def protocol(core: Core) -> SocketProtocol:
        made = plain(core)

        def shown(event: Event) -> object | None:
            if '"poison"' in event.payload_json:
                raise KeyError("inbox")
            return made.render(event)

        return replace(made, render=shown)

    monkeypatch.setattr(socket_module, "_manner", protocol)
    async with hooked.place.connect() as socket:
        await subscribe(socket)
        poison = hooked.place.happen("poison")
        hooked.place.happen("next")
        assert await subjects(socket, 1) == ["next"]
        await hooked.settled(2)
    assert hooked.posted == [poison]
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        f"event {poison} cannot be rendered for a WebSocket"
    ]


@pytest.mark.usefixtures("_impatient")
async def test_a_socket_that_dies_first_leaves_it_to_the_webhook(hooked: Hooked) -> None:
    socket = await stuck(hooked.place)
    ids = [hooked.place.happen(str(n), text=TEXT) for n in range(12)]
    await until_async(lambda: ids[-1] in hooked.posted, 20)
    await hooked.settled(12)
    # none fell between: what was not posted was written to the socket
    unread = [one for one in ids if one not in hooked.posted]
    assert len(unread) < 12
    assert ids[: len(unread)] == unread
    socket.transport.abort()


async def test_while_the_socket_takes_its_time_the_delivery_stays_pending(hooked: Hooked) -> None:
    """So a process that dies now leaves it to the webhook."""
    socket = await stuck(hooked.place)
    last = [hooked.place.happen(str(n), text=TEXT) for n in range(12)][-1]
    stream = next(iter(hooked.place.core.live._streams))
    await until_async(lambda: stream._waiting)
    assert last in await hooked.waiting("pending")
    assert last not in hooked.posted
    await hooked.place.core.live.close()
    await until_async(lambda: last in hooked.posted)
    socket.transport.resume_reading()
    frames, _ = await ending(socket)
    await hooked.settled(12)
    told = [one["event_id"] for one in frames if "event_id" in one]
    assert not set(told) & set(hooked.posted)


async def test_a_promise_that_is_not_kept_ends(hooked: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.2)
    socket = await stuck(hooked.place)
    last = [hooked.place.happen(str(n), text=TEXT) for n in range(12)][-1]
    await until_async(lambda: last in hooked.posted)
    socket.transport.abort()
