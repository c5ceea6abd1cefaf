"""Resuming on ``/v1/ws`` with ``last_event_id`` (contract: OpenMail §9): no gap, no double, no ceiling of a hundred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.api import event_socket
from gateway.records.ids import new_ulid
from tests.api_openmail.socket_server import ALL, Place, ask, hear, public, serving, subjects, subscribe
from tests.support.appended_events import add_key
from tests.support.filled_store import FilledStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    filled = FilledStore(tmp_path)
    try:
        async with serving(filled) as made, asyncio.timeout(60):
            yield made
    finally:
        filled.close()


async def test_a_replay_is_confirmed_first_then_oldest_first_then_live(place: Place) -> None:
    """350 stored events, far above upstream's hundred, and as many that come meanwhile."""
    ids = [place.happen(str(n)) for n in range(350)]

    def more() -> None:
        for n in range(350, 500):
            place.happen(str(n))

    async with place.connect() as socket:
        busy = asyncio.create_task(asyncio.to_thread(more))
        assert await subscribe(socket, last_event_id=ids[9]) == ALL
        assert await subjects(socket, 490) == [str(n) for n in range(10, 500)]
        await busy
        place.happen("end")
        assert await subjects(socket, 1) == ["end"]


async def test_a_replay_minds_filter_and_reach(place: Place) -> None:
    filled = place.filled
    other = filled.inbox("second@postern.test")
    foreign = filled.inbox("far@other.test", organization=new_ulid())
    add_key(filled, "om_small", inbox_id=place.box.id, pod_id=place.box.pod_id)
    first = place.happen("first")
    place.happen("theirs", foreign)
    place.happen("other", other)
    place.sent()
    place.happen("mine")
    async with place.connect("om_small") as small, place.connect() as wide:
        await subscribe(small, last_event_id=first)
        await subscribe(wide, inbox_ids=[public(other)], last_event_id=first)
        place.happen("next")
        place.happen("next other", other)
        assert await subjects(small, 2) == ["mine", "next"]
        assert await subjects(wide, 2) == ["other", "next other"]
        # a second subscription with a replay of its own: nothing comes twice
        await subscribe(wide, last_event_id=first)
        assert await subjects(wide, 2) == ["mine", "next"]


async def test_an_unknown_last_event_is_an_error_but_it_hears_on(place: Place) -> None:
    """The CLI bridge only logs the error, and would stay deaf."""
    foreign = place.filled.inbox("far@other.test", organization=new_ulid())
    for unknown in (place.happen("theirs", foreign), f"evt_{new_ulid()}", "evt_nope", "", "\x00"):
        place.happen("before")
        async with place.connect() as socket:
            assert await subscribe(socket, last_event_id=unknown) == ALL
            assert (await hear(socket))["type"] == "error"
            place.happen("after")
            assert await subjects(socket, 1) == ["after"]


async def test_coming_and_going_loses_nothing_and_doubles_nothing(place: Place) -> None:
    """300 events while the client is cut again and again, and resumes from what it had last."""
    start = place.happen("start")
    wanted = [str(n) for n in range(300)]
    heard: list[str] = []
    ids: list[str] = [start]

    def mails() -> None:
        for subject in wanted:
            place.happen(subject)

    busy = asyncio.create_task(asyncio.to_thread(mails))
    visits = 0
    while len(heard) < len(wanted):
        async with asyncio.timeout(30):
            socket = await place.connect(max_queue=None)
            visits += 1
            assert await subscribe(socket, last_event_id=ids[-1]) == ALL
            for _ in range(min(7 + visits % 11, len(wanted) - len(heard))):
                event = await hear(socket)
                heard.append(event["message"]["subject"])
                ids.append(event["event_id"])
            if visits % 2:
                socket.transport.abort()
            await socket.close()
    await busy
    assert heard == wanted
    assert len(set(ids)) == 301


async def test_a_ping_is_answered_amid_a_long_replay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_socket, "_EVENTS", 1)
    first = place.happen("first")
    last = [place.happen(str(n)) for n in range(300)][-1]
    async with place.connect() as socket:
        await subscribe(socket, last_event_id=first)
        await socket.send('{"type":"ping"}')
        async with asyncio.timeout(20):
            while (frame := await hear(socket)) != {"type": "pong"}:
                assert frame["event_id"] != last
        await ask(socket, "unsubscribe")
        while (await ask(socket, "ping")) != {"type": "pong"}:
            pass  # what was on its way when we unsubscribed
        place.happen("unheard")
        assert await ask(socket, "ping") == {"type": "pong"}
