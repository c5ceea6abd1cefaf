"""``/v1/ws`` (contract: OpenMail §9, B6, B8, B9): who gets in, frames, filters, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.api.openmail import socket as socket_module
from gateway.api.openmail.events_view import render
from gateway.events.dialect_format import Try
from gateway.records.ids import EventId, new_ulid
from gateway.store.queries.events import unscoped_event
from gateway.store.sql import sql
from tests.api_openmail.socket_server import (
    ALL,
    KEY,
    Place,
    ask,
    encoded,
    ending,
    hear,
    public,
    serving,
    stuck,
    subjects,
    subscribe,
)
from tests.support.appended_events import add_key, add_pod
from tests.support.filled_store import FilledStore
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def place(filled: FilledStore) -> AsyncIterator[Place]:
    async with serving(filled) as made, asyncio.timeout(60):
        yield made


# --- the door ---


@pytest.mark.parametrize("key", [None, "om_wrong", KEY[:-1], "x" * 5000])
async def test_a_wrong_key_is_let_in_and_closed_with_4001(place: Place, key: str | None) -> None:
    """B6: closing before the upgrade would be an HTTP 403, on which the CLI bridge comes back twenty times."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with connect(place.url, additional_headers=headers) as socket:
        frames, code = await ending(socket)
    assert code == 4001
    assert [(sorted(one), one["type"]) for one in frames] == [(["message", "type"], "error")]


async def test_the_key_may_stand_in_the_query_and_never_in_the_log(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with connect(f"{place.url}?x=1&token={KEY}") as socket:
        assert await subscribe(socket) == ALL
    for query in (f"to%6ben={KEY}zz", f"{'a=1&' * 200}token={KEY}"):
        async with connect(f"{place.url}?{query}") as socket:
            assert (await ending(socket))[1] == 4001
    # the client in this process logs its own request line: look at the server's loggers
    server_side = [one for one in caplog.records if not one.name.startswith("websockets")]
    assert any("WebSocket" in one.getMessage() for one in server_side)
    assert not [one for one in server_side if KEY in one.getMessage()]
    assert not [one for one in server_side if one.levelno >= logging.WARNING]


async def test_one_connection_too_many_is_closed_with_4008(filled: FilledStore) -> None:
    async with serving(filled, limits__profile="openmail") as place, asyncio.timeout(30):
        open_ = [await place.connect() for _ in range(10)]
        async with place.connect() as eleventh:
            frames, code = await ending(eleventh)
        assert (code, [one["type"] for one in frames]) == (4008, ["error"])
        assert await subscribe(open_[9]) == ALL
        for one in open_:
            await one.close()
        await until_async(lambda: not place.core.live.open)
        async with place.connect() as socket:
            assert await subscribe(socket) == ALL


async def test_thirty_messages_in_ten_seconds_and_no_more(filled: FilledStore) -> None:
    async with serving(filled, limits__profile="openmail") as place, asyncio.timeout(30):
        async with place.connect() as socket:
            assert [await ask(socket, "ping") for _ in range(30)] == [{"type": "pong"}] * 30
            await socket.send("{}")
            frames, code = await ending(socket)
            assert (code, [one["type"] for one in frames]) == (4029, ["error"])
            assert "30 messages" in frames[0]["message"]
        async with place.connect() as socket:  # the pace is the connection's
            assert await ask(socket, "ping") == {"type": "pong"}


async def test_the_pace_counts_what_came_lately_only(
    filled: FilledStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "PACE_SECONDS", 0.0)
    async with serving(filled, limits__websocket_messages=3) as place, place.connect() as socket:
        assert [await ask(socket, "ping") for _ in range(20)] == [{"type": "pong"}] * 20


async def test_no_limit_of_messages_by_default(place: Place) -> None:
    async with place.connect() as socket:
        assert [await ask(socket, "ping") for _ in range(100)] == [{"type": "pong"}] * 100


async def test_a_key_that_asks_too_often_is_told_to_slow_down(filled: FilledStore) -> None:
    async with serving(filled, limits__requests_per_minute=1) as place:
        async with place.connect() as socket:
            assert await subscribe(socket) == ALL
        async with place.connect() as socket:
            frames, code = await ending(socket)
    assert (code, [one["type"] for one in frames]) == (4029, ["error"])


async def test_another_path_has_no_socket(place: Place) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(place.url + "/x", additional_headers={"Authorization": f"Bearer {KEY}"})
    assert refused.value.response.status_code == 404


# --- frames ---


BAD_FRAMES: tuple[str | bytes, ...] = (
    "{broken",
    "[]",
    "null",
    "7",
    '"subscribe"',
    "{}",
    '{"type":null}',
    '{"type":"hello"}',
    '{"type":"subscribe","inbox_ids":"x"}',
    '{"type":"subscribe","inbox_ids":[1]}',
    '{"type":"subscribe","event_types":["message.flown"]}',
    '{"type":"subscribe","event_types":{}}',
    '{"type":"subscribe","inbox_ids":["inb_nope"]}',
    '{"type":"subscribe","inbox_ids":["\\u0000\\ud800"]}',
    '{"type":"subscribe","last_event_id":7}',
    '{"type":"unsubscribe","inbox_ids":["inb_nope"]}',
    '{"type":"subscribe","inbox_ids":' + json.dumps(["a"] * 10_000) + "}",
    '{"type":"subscribe","event_types":' + json.dumps(["a"] * 10_000) + "}",
    "[" * 100_000,
    b"\xff\xfe",
    b"",
)


async def test_a_bad_frame_is_answered_and_the_connection_stays(place: Place) -> None:
    async with place.connect() as socket:
        for frame in BAD_FRAMES:
            await socket.send(frame)
            answer = await hear(socket)
            assert set(answer) == {"type", "message"}, frame[:80]
            assert answer["type"] == "error", frame[:80]
            assert len(answer["message"]) > 10
        assert await subscribe(socket) == ALL
        place.happen("still here")
        assert await subjects(socket, 1) == ["still here"]


async def test_ping_needs_no_subscription(place: Place) -> None:
    async with place.connect() as socket:
        assert await ask(socket, "ping", id=7) == {"type": "pong"}
        await socket.send(b'{"type":"ping"}')
        assert await hear(socket) == {"type": "pong"}


async def test_nothing_is_heard_before_the_first_subscribe(place: Place) -> None:
    async with place.connect() as socket:
        place.happen("early")
        assert await ask(socket, "ping") == {"type": "pong"}
        assert await subscribe(socket) == ALL
        place.happen("late")
        assert await subjects(socket, 1) == ["late"]


async def test_an_event_is_the_webhooks_payload(place: Place) -> None:
    async with place.connect() as socket:
        await subscribe(socket)
        event_id = place.happen("Grüße")
        event = await hear(socket)
    kept = place.filled.store.read_now(lambda tx: unscoped_event(tx, EventId(event_id.removeprefix("evt_"))))
    assert kept is not None
    assert event["event_id"] == event_id
    assert event["attempt"] == 1
    assert event["delivered_at"].endswith("Z")
    posted = encoded(render(kept, Try(1, 0), ""))
    assert {**event, "delivered_at": None} == {**posted, "delivered_at": None}
    assert "type" not in event


# --- filters ---


async def test_subscriptions_add_up(place: Place) -> None:
    second, third = place.filled.inbox("second@postern.test"), place.filled.inbox("third@postern.test")
    first_id, second_id = public(place.box), public(second)
    received = "message.received"
    async with place.connect() as socket:
        answer = await subscribe(socket, inbox_ids=[first_id], event_types=[received])
        assert answer == {"type": "subscribed", "inbox_ids": [first_id], "event_types": [received]}
        answer = await subscribe(
            socket, inbox_ids=["second@postern.test"], event_types=[received, "inbox.suspended"]
        )
        assert answer["inbox_ids"] == sorted([first_id, second_id])
        assert answer["event_types"] == ["inbox.suspended", received]
        place.happen("third", third)
        place.happen("first")
        place.happen("second", second)
        assert await subjects(socket, 2) == ["first", "second"]
        assert await subscribe(socket, inbox_ids=[], event_types=None) == ALL
        place.happen("third again", third)
        assert await subjects(socket, 1) == ["third again"]
        # all and one is all
        assert await subscribe(socket, inbox_ids=[first_id], event_types=[received]) == ALL
        place.happen("third still", third)
        assert await subjects(socket, 1) == ["third still"]


async def test_only_mail_that_came_in_is_told(place: Place) -> None:
    """Reputation events are for webhooks; what other dialects tell is not OpenMail's."""
    async with place.connect() as socket, place.connect() as other:
        await subscribe(socket)
        await subscribe(other, event_types=["inbox.suspended"])
        place.sent()
        place.filled.store.write_now(
            lambda tx: place.core.events.append(
                tx,
                "inbox.suspended",
                organization_id=place.filled.organization,
                pod_id=place.box.pod_id,
                inbox_id=place.box.id,
                subject="1",
                payload={
                    "inbox": msgspec.structs.asdict(place.box),
                    "pod_id": place.box.pod_id,
                    "reason": "abuse",
                },
            )
        )
        place.happen("mail")
        assert await subjects(socket, 1) == ["mail"]
        assert await ask(other, "ping") == {"type": "pong"}


async def test_unsubscribing(place: Place) -> None:
    second = place.filled.inbox("second@postern.test")
    first_id, second_id = public(place.box), public(second)
    async with place.connect() as socket, place.connect() as witness:
        await subscribe(witness)

        async def heard(*wanted: str) -> None:
            place.happen("first")
            place.happen("second", second)
            assert await subjects(witness, 2) == ["first", "second"]
            assert await subjects(socket, len(wanted)) == list(wanted)
            assert await ask(socket, "ping") == {"type": "pong"}

        await subscribe(socket, inbox_ids=[first_id, second_id])
        answer = await ask(socket, "unsubscribe", inbox_ids=[second_id])
        assert answer == {"type": "unsubscribed", "inbox_ids": [second_id]}
        await heard("first")
        # the last one off: nothing is left, which is not "all"
        await ask(socket, "unsubscribe", inbox_ids=[first_id])
        await heard()
        assert (await subscribe(socket, inbox_ids=[second_id]))["inbox_ids"] == [second_id]
        await heard("second")
        # one off all, and on again
        assert await subscribe(socket) == ALL
        await ask(socket, "unsubscribe", inbox_ids=[first_id])
        await heard("second")
        assert await subscribe(socket, inbox_ids=[first_id]) == ALL
        await heard("first", "second")
        assert await ask(socket, "unsubscribe") == {"type": "unsubscribed", "inbox_ids": []}
        await heard()
        answer = await subscribe(socket, event_types=["message.received"])
        assert answer == {"type": "subscribed", "inbox_ids": [], "event_types": ["message.received"]}
        await heard("first", "second")


async def test_an_unowned_inbox_is_an_error_and_changes_nothing(place: Place) -> None:
    filled = place.filled
    second = filled.inbox("second@postern.test", pod=add_pod(filled))
    foreign = filled.inbox("far@other.test", organization=new_ulid())
    add_key(filled, "om_of_a_pod", pod_id=place.box.pod_id)
    async with place.connect("om_of_a_pod") as socket:
        for unowned in (public(second), public(foreign), f"inb_{new_ulid()}", "far@other.test"):
            answer = await subscribe(socket, inbox_ids=[public(place.box), unowned])
            assert answer["type"] == "error"
        place.happen("not yet")
        assert await ask(socket, "ping") == {"type": "pong"}
        await subscribe(socket, inbox_ids=[public(place.box)])
        assert (await ask(socket, "unsubscribe", inbox_ids=[public(second)]))["type"] == "error"
        place.happen("heard")
        assert await subjects(socket, 1) == ["heard"]


async def test_what_all_means_to_each_key(place: Place) -> None:
    """An account's key hears inboxes made later; a pod's key hears the pod's inboxes of that moment."""
    filled = place.filled
    pod = add_pod(filled)
    in_pod = filled.inbox("in-pod@postern.test", pod=pod)
    add_key(filled, "om_of_a_pod", pod_id=pod)
    add_key(filled, "om_of_an_inbox", pod_id=pod, inbox_id=in_pod.id)
    add_key(filled, "om_of_an_empty_pod", pod_id=add_pod(filled))
    async with (
        place.connect() as account,
        place.connect("om_of_a_pod") as of_pod,
        place.connect("om_of_an_inbox") as of_inbox,
        place.connect("om_of_an_empty_pod") as of_nothing,
    ):
        assert await subscribe(account) == ALL
        for socket in (of_pod, of_inbox):
            assert (await subscribe(socket))["inbox_ids"] == [public(in_pod)]
        # [] would say "all", and be deaf
        assert (await subscribe(of_nothing))["type"] == "error"
        later = filled.inbox("later@postern.test", pod=pod)
        place.happen("bot")
        place.happen("later", later)
        place.happen("in pod", in_pod)
        assert await subjects(account, 3) == ["bot", "later", "in pod"]
        for socket in (of_pod, of_inbox):
            assert await subjects(socket, 1) == ["in pod"]
            assert await ask(socket, "ping") == {"type": "pong"}
        assert len((await subscribe(of_pod))["inbox_ids"]) == 2
        place.happen("later too", later)
        assert await subjects(of_pod, 1) == ["later too"]
        assert (await subscribe(of_inbox, inbox_ids=[public(later)]))["type"] == "error"


async def test_a_key_without_the_permission_hears_nothing(place: Place) -> None:
    add_key(place.filled, "om_blind", permissions_json='["inbox_read"]')
    async with place.connect("om_blind") as socket:
        assert (await subscribe(socket))["type"] == "error"


async def test_every_matching_socket_hears(place: Place) -> None:
    async with place.connect() as one, place.connect() as two, place.connect() as three:
        await subscribe(one)
        await subscribe(two, inbox_ids=[public(place.box)])
        await subscribe(three, event_types=["inbox.suspended"])
        place.happen("x")
        assert await subjects(one, 1) == await subjects(two, 1) == ["x"]
        assert await ask(three, "ping") == {"type": "pong"}


# --- the end ---


async def test_a_revoked_key_ends_its_sockets(place: Place) -> None:
    add_key(place.filled, "om_another")
    async with place.connect() as socket, place.connect("om_another") as stays:
        await subscribe(socket)
        await subscribe(stays)
        # by another process: no memory of this one is emptied
        place.filled.store.write_now(lambda tx: sql(tx).run("DELETE FROM api_key WHERE id = ?", place.key_id))
        frames, code = await ending(socket)
        assert (code, [one["type"] for one in frames]) == (4001, ["error"])
        place.happen("x")
        assert await subjects(stays, 1) == ["x"]


async def test_a_stop_closes_with_1001(place: Place) -> None:
    async with place.connect() as one, place.connect() as two:
        await subscribe(one)
        await place.core.live.close()
        assert await ending(one) == ([], 1001)
        assert await ending(two) == ([], 1001)
        async with place.connect() as late:
            assert await ending(late) == ([], 1001)


async def test_one_that_reads_nothing_is_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = socket_module._manner(place.core)
    monkeypatch.setattr(socket_module, "_manner", lambda core: replace(plain, patience=0.3))
    socket = await stuck(place)
    async with place.connect() as quick:
        await subscribe(quick, inbox_ids=[public(place.filled.inbox("second@postern.test"))])
        for n in range(8):
            place.happen(f"{n}", text="y" * 50_000)
        await until_async(lambda: len(place.core.live._streams) == 1)
        assert await ask(quick, "ping") == {"type": "pong"}
    socket.transport.abort()
