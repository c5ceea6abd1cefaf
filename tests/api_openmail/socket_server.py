"""OpenMail's dialect served in this process without a mail server: events are put into the index by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.api.openmail import openmail_dialect
from gateway.configuration import load_settings
from gateway.core.context import Core
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.store.sql import sql
from tests.support.appended_events import add_key, received, small_event
from tests.support.filled_store import FilledStore, mail
from tests.support.http_server import served

KEY = "om_socket_test_key_of_the_account"
ALL = {"type": "subscribed", "inbox_ids": [], "event_types": []}
"""How a subscription to everything is confirmed."""


class Place:
    """A served gateway; its events are ``message.received`` of mails that ``happen`` names by subject."""

    def __init__(self, filled: FilledStore, core: Core, port: int) -> None:
        self.filled, self.core, self.port = filled, core, port
        self.url = f"ws://127.0.0.1:{port}/v1/ws"
        self.box = filled.inbox("bot@postern.test")
        self.key_id = add_key(filled, KEY)
        self._count = 0

    def connect(self, key: str = KEY, **more: Any) -> connect:
        return connect(self.url, additional_headers={"Authorization": f"Bearer {key}"}, **more)

    def happen(self, subject: str, inbox: Inbox | None = None, *, text: str = "hello") -> str:
        """A mail arrives; answers the event's id."""
        self._count += 1
        raw = mail(self._count, subject=subject, text=text, message_id=f"<{self._count}@far.example>")
        message = received(self.filled, self.core.events, inbox or self.box, raw)
        found = self.filled.store.read_now(
            lambda tx: sql(tx).value("SELECT id FROM event WHERE message_id = ?", message)
        )
        return f"evt_{found}"

    def sent(self, inbox: Inbox | None = None) -> str:
        """Something happens that OpenMail's sockets do not tell."""
        self._count += 1
        return small_event(self.filled, self.core.events, inbox or self.box, str(self._count))


def public(inbox: Inbox) -> str:
    """An inbox's id as clients know it."""
    return f"inb_{inbox.id}"


def settings_with(**overrides: Any) -> Settings:
    """Development settings; ``limits__websockets=2`` sets ``limits.websockets``."""
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings(overrides={"profile": "development", **named}, environ={})[0]


@asynccontextmanager
async def serving(filled: FilledStore, **settings: Any) -> AsyncIterator[Place]:
    """A served gateway; afterwards no socket may be left."""
    core = replace(filled.core(), settings=settings_with(**settings))
    app = Starlette(routes=openmail_dialect.routes(core))
    try:
        async with served(app, send_buffer=32_768) as port:  # a client that is stuck shows soon
            try:
                yield Place(filled, core, port)
            finally:
                await core.live.close()
    finally:
        await core.keys.settle()
    assert not core.live.open
    assert not core.live._streams
    assert not core.live._replaying
    assert core.live._job is None


async def hear(socket: ClientConnection, timeout: float = 10.0) -> dict[str, Any]:
    """The next frame."""
    async with asyncio.timeout(timeout):
        frame: dict[str, Any] = json.loads(await socket.recv())
        return frame


async def ask(socket: ClientConnection, kind: str, **fields: Any) -> dict[str, Any]:
    """Send a frame; answers the next one that comes."""
    await socket.send(json.dumps({"type": kind, **fields}))
    return await hear(socket)


async def subscribe(socket: ClientConnection, **fields: Any) -> dict[str, Any]:
    return await ask(socket, "subscribe", **fields)


async def subjects(socket: ClientConnection, count: int) -> list[str]:
    """The subjects of the next events."""
    return [(await hear(socket))["message"]["subject"] for _ in range(count)]


async def ending(socket: ClientConnection, within: float = 10.0) -> tuple[list[dict[str, Any]], int]:
    """What still comes, and the close code."""
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(within):
        with contextlib.suppress(ConnectionClosed):
            while True:
                frames.append(json.loads(await socket.recv()))
    return frames, socket.close_code or 1006


def encoded(value: object) -> Any:
    """A view as JSON shows it."""
    return msgspec.json.decode(msgspec.json.encode(value))


async def stuck(place: Place, **fields: Any) -> ClientConnection:
    """A client that subscribed and reads no more, with small buffers on its side."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", place.port))
    raw.setblocking(False)
    socket = await place.connect(sock=raw, max_queue=1, ping_interval=None, compression=None)
    await subscribe(socket, **fields)
    socket.transport.pause_reading()
    return socket
