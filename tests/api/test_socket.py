"""The WebSocket on a real server on loopback: who gets in, what is heard, resuming, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket as sockets
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.api.agentmail import agentmail_dialect
from gateway.api.agentmail import socket as socket_module
from gateway.core.context import Core
from gateway.events.live import MAX_WAITING, OVERLAP, Happened, Stream
from gateway.records.ids import new_ulid
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.store.sql import sql
from tests.events.samples import sample_event
from tests.support.appended_events import add_key, add_pod, domain_verified, received, small_event
from tests.support.databases import on_postgres
from tests.support.filled_store import FilledStore, mail
from tests.support.http_server import served

pytestmark = pytest.mark.anyio
KEY = "inai_socket_test_key_of_the_organization"
SMALL_KEY = "inai_socket_test_key_of_one_inbox"


class Place:
    """A served gateway without a mail server."""

    def __init__(self, filled: FilledStore, core: Core, port: int) -> None:
        self.filled, self.core, self.port = filled, core, port
        self.url = f"ws://127.0.0.1:{port}/api/v0"
        self.box = filled.inbox("bot@postern.test")
        self.key_id = add_key(filled, KEY)

    def connect(self, key: str = KEY, **more: Any) -> connect:
        return connect(self.url, additional_headers={"Authorization": f"Bearer {key}"}, **more)

    def happen(self, subject: str, inbox: Inbox | None = None, kind: str = "message.sent") -> str:
        return small_event(self.filled, self.core.events, inbox or self.box, subject, kind)


@asynccontextmanager
async def serving(filled: FilledStore, settings: Settings | None = None) -> AsyncIterator[Place]:
    core = filled.core()
    if settings is not None:
        core = replace(core, settings=settings)
    app = Starlette(routes=agentmail_dialect.routes(core))
    try:
        async with served(app) as port:
            yield Place(filled, core, port)
    finally:
        await core.keys.settle()
    assert not core.live.open
    assert not core.live._streams
    assert core.live._job is None


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def place(filled: FilledStore) -> AsyncIterator[Place]:
    async with serving(filled) as made, asyncio.timeout(60):
        yield made


async def hear(socket: ClientConnection, timeout: float = 5.0) -> dict[str, Any]:
    async with asyncio.timeout(timeout):
        answer: dict[str, Any] = json.loads(await socket.recv())
        return answer


async def subscribe(socket: ClientConnection, **frame: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"type": "subscribe", **frame}))
    return await hear(socket)


async def subjects(socket: ClientConnection, count: int) -> list[str]:
    return [(await hear(socket))["send"]["recipients"][0] for _ in range(count)]


async def _received(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


async def closed(socket: ClientConnection, within: float = 5.0) -> int:
    """The close code, once what was sent before is read."""
    async with asyncio.timeout(within):
        async for _ in _received(socket):
            pass
    return socket.close_code or 1006


# --- the door ---


@pytest.mark.parametrize("key", [None, "inai_wrong", KEY[:-1], "x" * 5000])
async def test_a_wrong_key_is_refused_before_the_upgrade(
    place: Place, key: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with pytest.raises(InvalidStatus) as refused:
        await connect(place.url, additional_headers=headers)
    answer = refused.value.response
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    body = json.loads(answer.body or b"")
    assert body["name"] == "UnauthorizedError"
    assert body["code"] == ("unknown_api_key" if key else "missing_api_key")
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


async def test_the_key_may_stand_in_the_query_and_never_in_the_log(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with connect(f"{place.url}?api_key={KEY}&x=1") as socket:
        assert (await subscribe(socket))["type"] == "subscribed"
    with pytest.raises(InvalidStatus):
        await connect(f"{place.url}?api_ke%79={KEY}zz")
    with pytest.raises(InvalidStatus):
        await connect(f"{place.url}?{'a=1&' * 200}api_key={KEY}")
    # the client in this process logs its own request line: look at the server's loggers
    server_side = [one for one in caplog.records if not one.name.startswith("websockets")]
    assert any("WebSocket" in one.getMessage() for one in server_side)
    assert not [one for one in server_side if KEY in one.getMessage()]


async def test_another_path_has_no_socket(place: Place) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(place.url + "/inboxes", additional_headers={"Authorization": f"Bearer {KEY}"})
    assert refused.value.response.status_code == 404


async def test_the_limit_of_open_sockets(filled: FilledStore) -> None:
    limits = msgspec.structs.replace(Settings().limits, websockets=2)
    settings = msgspec.structs.replace(Settings(), limits=limits)
    async with serving(filled, settings) as place, asyncio.timeout(30):
        async with place.connect(), place.connect():
            with pytest.raises(InvalidStatus) as refused:
                await place.connect()
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["Retry-After"]
        for _ in range(100):  # the two must leave first
            if not place.core.live.open:
                break
            await asyncio.sleep(0.02)
        async with place.connect() as socket:
            assert (await subscribe(socket))["type"] == "subscribed"


# --- frames ---


@pytest.mark.parametrize(
    "frame",
    [
        "{broken",
        "[]",
        "null",
        "{}",
        '{"type":"ping"}',
        '{"type":"subscribe","inbox_ids":"x"}',
        '{"type":"subscribe","inbox_ids":[1]}',
        '{"type":"subscribe","event_types":["message.flown"]}',
        '{"type":"subscribe","pod_ids":["pod_nope"]}',
        '{"type":"subscribe","inbox_ids":["nobody@nowhere.test"]}',
        '{"type":"subscribe","inbox_ids":["\\u0000\\ud800"]}',
        '{"type":"subscribe","last_event_id":"evt_nope"}',
        '{"type":"subscribe","inbox_ids":' + json.dumps(["a"] * 1001) + "}",
        "[" * 100_000,
        b"\xff\xfe",
    ],
    ids=lambda frame: repr(frame)[:40],
)
async def test_a_bad_frame_is_answered_and_the_socket_lives(place: Place, frame: str | bytes) -> None:
    async with place.connect() as socket:
        await socket.send(frame)
        answer = await hear(socket)
        assert set(answer) == {"type", "name", "message"}
        assert answer["type"] == "error"
        assert answer["name"] in ("ValidationError", "NotFoundError")
        assert await subscribe(socket) == {"type": "subscribed"}
        place.happen("still here")
        assert await subjects(socket, 1) == ["still here"]


async def test_nothing_is_heard_before_subscribing(place: Place) -> None:
    async with place.connect() as socket:
        place.happen("early")
        await asyncio.sleep(0.2)
        assert await subscribe(socket) == {"type": "subscribed"}
        place.happen("late")
        assert await subjects(socket, 1) == ["late"]


async def test_pings_are_the_protocols_own(place: Place) -> None:
    async with place.connect() as socket:
        await subscribe(socket)
        async with asyncio.timeout(5):
            await (await socket.ping())


# --- what is heard ---


async def test_filters(place: Place) -> None:
    filled = place.filled
    pod = add_pod(filled)
    second, third = filled.inbox("second@postern.test"), filled.inbox("third@postern.test", pod=pod)
    foreign = filled.inbox("far@other.test", organization=new_ulid())
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["bot", "second", "third"]),
        ({"inbox_ids": [f"inb_{place.box.id}"]}, ["bot"]),
        ({"inbox_ids": ["Second@Postern.test"]}, ["second"]),
        ({"pod_ids": [f"pod_{pod}"]}, ["third"]),
        ({"pod_ids": [f"pod_{pod}"], "inbox_ids": ["bot@postern.test"]}, ["bot", "third"]),
        ({"event_types": ["message.sent"]}, ["bot", "second", "third"]),
        ({"event_types": ["message.opened", "message.bounced"]}, []),
        ({"inbox_ids": [], "event_types": []}, ["bot", "second", "third"]),
    ]
    for at, (frame, wanted) in enumerate(cases):
        async with place.connect() as socket:
            assert await subscribe(socket, **frame) == {"type": "subscribed", **frame}
            for name, box in (("far", foreign), ("bot", place.box), ("second", second), ("third", third)):
                place.happen(f"{at}-{name}", box)
            place.happen(f"{at}-end", place.box, "message.delivered")
            frame["event_types"] = ["message.delivered"]
            assert await subjects(socket, len(wanted)) == [f"{at}-{name}" for name in wanted]
    async with place.connect() as socket:
        answer = await subscribe(socket, inbox_ids=["far@other.test"])
        assert (answer["type"], answer["name"]) == ("error", "NotFoundError")


async def test_subscriptions_add_up_and_nothing_comes_twice(place: Place) -> None:
    other = place.filled.inbox("second@postern.test")
    async with place.connect() as socket:
        await subscribe(socket, inbox_ids=["bot@postern.test"])
        await subscribe(socket, inbox_ids=["second@postern.test"])
        await subscribe(socket)
        place.happen("a")
        place.happen("b", other)
        place.happen("c")
        assert await subjects(socket, 3) == ["a", "b", "c"]


async def test_opt_in_types_come_only_when_named(place: Place) -> None:
    def mails(n: int) -> None:
        for kind in ("message.received.spam", "message.received.blocked", "message.received"):
            received(place.filled, place.core.events, place.box, mail(n * 10 + len(kind)), kind)

    async with place.connect() as socket:
        await subscribe(socket)
        mails(1)
        assert (await hear(socket))["event_type"] == "message.received"
    async with place.connect() as socket:
        await subscribe(socket, event_types=["message.received.spam"])
        mails(2)
        assert (await hear(socket))["event_type"] == "message.received.spam"
        place.happen("x")
        with pytest.raises(TimeoutError):
            await hear(socket, 0.3)


async def test_a_key_hears_its_reach_and_permissions(place: Place) -> None:
    filled = place.filled
    other = filled.inbox("second@postern.test")
    pod = add_pod(filled)
    in_pod = filled.inbox("third@postern.test", pod=pod)
    add_key(filled, SMALL_KEY, inbox_id=place.box.id, pod_id=place.box.pod_id)
    add_key(filled, "inai_of_a_pod", pod_id=pod)
    add_key(filled, "inai_without_spam", permissions_json='["message_read"]')
    add_key(filled, "inai_blind", permissions_json='["inbox_read"]')
    async with (
        place.connect(SMALL_KEY) as small,
        place.connect("inai_of_a_pod") as of_pod,
        place.connect("inai_without_spam") as plain,
        place.connect("inai_blind") as blind,
    ):
        for one in (small, of_pod, plain):
            assert (await subscribe(one))["type"] == "subscribed"
        assert (await subscribe(small, inbox_ids=["second@postern.test"]))["name"] == "ForbiddenError"
        assert (await subscribe(blind))["name"] == "ForbiddenError"
        assert (await subscribe(plain, event_types=["message.received.spam"]))["name"] == "ForbiddenError"
        await domain_verified(filled, place.core.events)
        place.happen("second", other)
        place.happen("third", in_pod)
        place.happen("bot")
        assert await subjects(small, 1) == ["bot"]
        assert await subjects(of_pod, 1) == ["third"]
        assert await subjects(plain, 3) == ["second", "third", "bot"]
        for one in (small, of_pod, plain, blind):
            with pytest.raises(TimeoutError):
                await hear(one, 0.2)


async def test_the_official_sdk_listens(place: Place) -> None:
    agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")
    from agentmail.environment import AgentMailEnvironment

    base = f"127.0.0.1:{place.port}/api"
    async with httpx.AsyncClient() as wire:
        with warnings.catch_warnings():  # the SDK still imports the old names of websockets
            warnings.simplefilter("ignore", DeprecationWarning)
            sdk = agentmail.AsyncAgentMail(
                api_key=KEY,
                environment=AgentMailEnvironment(http=f"http://{base}", websockets=f"ws://{base}"),
                httpx_client=wire,
            )
            async with asyncio.timeout(20), sdk.websockets.connect() as socket:
                await socket.send_subscribe(agentmail.Subscribe(inbox_ids=["bot@postern.test"]))
                first = await socket.recv()
                assert isinstance(first, agentmail.Subscribed)
                assert first.inbox_ids == ["bot@postern.test"]
                received(place.filled, place.core.events, place.box, mail(1, subject="Hello"))
                event = await socket.recv()
                assert isinstance(event, agentmail.MessageReceivedEvent)
                assert (event.message.subject, event.thread.message_count) == ("Hello", 1)
                place.happen("x", kind="message.delivered")
                assert isinstance(await socket.recv(), agentmail.MessageDeliveredEvent)


# --- resuming ---


async def test_resuming_has_no_gap_and_no_double(place: Place) -> None:
    ids = [place.happen(str(n)) for n in range(350)]
    async with place.connect() as socket:

        async def more() -> None:
            for n in range(350, 700):
                await asyncio.to_thread(place.happen, str(n))

        busy = asyncio.create_task(more())
        assert await subscribe(socket, last_event_id=ids[9]) == {"type": "subscribed"}
        assert await subjects(socket, 690) == [str(n) for n in range(10, 700)]
        await busy
        place.happen("end")
        assert await subjects(socket, 1) == ["end"]


async def test_resuming_minds_filter_and_reach(place: Place) -> None:
    other = place.filled.inbox("second@postern.test")
    foreign = place.filled.inbox("far@other.test", organization=new_ulid())
    first = place.happen("first")
    theirs = place.happen("theirs", foreign)
    place.happen("not mine", other)
    place.happen("mine")
    add_key(place.filled, SMALL_KEY, inbox_id=place.box.id, pod_id=place.box.pod_id)
    async with place.connect(SMALL_KEY) as socket:
        assert (await subscribe(socket, last_event_id=theirs))["name"] == "NotFoundError"
        assert await subscribe(socket, last_event_id=first) == {"type": "subscribed"}
        place.happen("next")
        assert await subjects(socket, 2) == ["mine", "next"]


@pytest.mark.skipif(on_postgres(), reason="only SQLite gives a number out again")
async def test_a_number_given_out_again_is_heard(place: Place) -> None:
    """Deleting an inbox takes its events away; SQLite then gives the highest number to another."""
    for n in range(5):
        place.happen(f"before {n}")
    async with place.connect() as socket:
        await subscribe(socket)
        lost = place.happen("goes away")
        assert await subjects(socket, 1) == ["goes away"]

        def swap() -> tuple[int, int]:
            top = place.filled.store.read_now(lambda tx: sql(tx).value("SELECT max(seq) FROM event"))
            place.filled.store.write_now(
                lambda tx: sql(tx).run("DELETE FROM event WHERE id = ?", lost.removeprefix("evt_"))
            )
            place.happen("in its place")
            return top, place.filled.store.read_now(lambda tx: sql(tx).value("SELECT max(seq) FROM event"))

        before, after = swap()
        assert before == after
        assert await subjects(socket, 1) == ["in its place"]


async def test_a_number_committed_late_is_heard_once(place: Place) -> None:
    """PostgreSQL can commit a lower number after a higher one."""
    async with place.connect() as socket:
        await subscribe(socket)
        for n in range(3):
            place.happen(str(n))
        assert await subjects(socket, 3) == ["0", "1", "2"]

        def late(tx: Any) -> None:
            sql(tx).run("UPDATE event SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM event)")
            (row,) = sql(tx).rows("SELECT * FROM event ORDER BY seq DESC LIMIT 1")
            facts = row["payload_json"].replace('"2"', '"late"')
            sql(tx).insert("event", {**row, "seq": row["seq"] - 1, "id": new_ulid(), "payload_json": facts})
            if tx.postgres:  # the number moved to was not drawn
                sql(tx).value("SELECT nextval(pg_get_serial_sequence('event', 'seq'))")
            tx.after_commit.append(place.core.events.wake)

        place.filled.store.write_now(late)
        place.happen("after")
        assert await subjects(socket, 2) == ["late", "after"]


# --- the end ---


async def test_a_revoked_key_ends_its_sockets_within_five_seconds(place: Place) -> None:
    other_key = "inai_another_key"
    add_key(place.filled, other_key)
    async with place.connect() as socket, place.connect(other_key) as stays:
        await subscribe(socket)
        await subscribe(stays)
        # by another process: no memory of this one is emptied
        place.filled.store.write_now(lambda tx: sql(tx).run("DELETE FROM api_key WHERE id = ?", place.key_id))
        assert await closed(socket, within=5.0) == 4401
        place.happen("x")
        assert await subjects(stays, 1) == ["x"]


async def test_a_key_that_loses_a_permission_hears_less(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "RECHECK_SECONDS", 0.1)
    async with place.connect() as socket:
        await subscribe(socket)
        place.filled.store.write_now(
            lambda tx: sql(tx).update("api_key", "id", place.key_id, {"permissions_json": '["domain_read"]'})
        )
        place.core.keys.forget()
        await asyncio.sleep(0.4)
        place.happen("x")
        await domain_verified(place.filled, place.core.events)
        assert (await hear(socket))["event_type"] == "domain.verified"


async def _stuck(place: Place) -> ClientConnection:
    """A client that subscribed and reads no more, with small buffers on its side."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", place.port))
    raw.setblocking(False)
    socket = await place.connect(sock=raw, max_queue=1, ping_interval=None, compression=None)
    await subscribe(socket)
    socket.transport.pause_reading()
    return socket


async def test_a_slow_client_is_cut_and_the_others_hear_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    socket = await _stuck(place)
    async with place.connect() as quick:
        await subscribe(quick, event_types=["message.delivered"])
        text = "x" * 500_000
        streams = list(place.core.live._streams)
        for n in range(40):  # 20 MB, far beyond what may wait
            received(place.filled, place.core.events, place.box, mail(n, text=f"{n} {text}"))
        place.happen("quick", kind="message.delivered")
        assert (await hear(quick))["delivery"]["recipients"] == ["quick"]
        async with asyncio.timeout(8):
            while len(place.core.live._streams) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert any(one.lost.is_set() and not one._waiting for one in streams)
    socket.transport.abort()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_client_that_reads_nothing_is_cut_by_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "SEND_SECONDS", 0.3)
    socket = await _stuck(place)
    for n in range(10):  # five megabytes: nobody's queue is full
        received(place.filled, place.core.events, place.box, mail(n, text="y" * 500_000))
    async with asyncio.timeout(8):
        while place.core.live._streams:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    socket.transport.abort()


async def test_one_that_falls_behind_by_number_is_cut(place: Place) -> None:
    stream = Stream(place.filled.organization, lambda row: True)
    for _ in range(MAX_WAITING):
        stream.offer(Happened(sample_event("message.received", {})))
    assert not stream.lost.is_set()
    stream.offer(Happened(sample_event("message.received", {})))
    assert stream.lost.is_set()


async def test_a_deleted_inbox_is_silent_though_events_wait(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "_FRESH_SECONDS", 0.0)  # as if they had waited for a slow client
    first = place.happen("first")
    place.happen("waits")
    # the events are still there while the deletion is under way
    place.filled.store.write_now(
        lambda tx: sql(tx).update("inbox", "id", place.box.id, {"status": "deleting"})
    )
    other = place.filled.inbox("second@postern.test")
    async with place.connect() as socket:
        await subscribe(socket, last_event_id=first)
        place.happen("other", other)
        assert await subjects(socket, 1) == ["other"]


async def test_many_come_and_go(place: Place) -> None:
    async def one(n: int) -> None:
        async with place.connect() as socket:
            await subscribe(socket)
            if n % 2:
                socket.transport.abort()

    await asyncio.gather(*(one(n) for n in range(30)))
    async with place.connect() as socket:
        await subscribe(socket)
        place.happen("x")
        assert await subjects(socket, 1) == ["x"]


async def test_stopping_the_server_ends_its_sockets(filled: FilledStore) -> None:
    async with serving(filled) as place:
        socket = await place.connect()
        await subscribe(socket)
    assert await closed(socket) in (1001, 1006, 1012)


def test_the_overlap_is_smaller_than_what_is_remembered() -> None:
    assert socket_module._MAX_SENT > 2 * OVERLAP
