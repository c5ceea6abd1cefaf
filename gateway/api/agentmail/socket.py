"""The WebSocket at ``/api/v0`` itself: subscribe, then hear events as they happen.

Client: ``{"type":"subscribe","event_types"?,"inbox_ids"?,"pod_ids"?}``; server: ``{"type":"subscribed",…}`` with
the same lists, then events (the webhook's very JSON), or ``{"type":"error","name","message"}``. A wrong key is
refused with 401 before the upgrade. Keep-alive is the protocol's own ping; a JSON one would be misread by the
SDKs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway import metrics
from gateway.api.agentmail.errors import render_error
from gateway.api.agentmail.events_view import render
from gateway.api.auth import authenticate, key_of
from gateway.api.body import encode
from gateway.api.errors import core_error, error_headers, from_msgspec
from gateway.core.context import Core
from gateway.core.errors import CoreError, Invalid, TooMany
from gateway.core.inboxes import find_pod
from gateway.core.lookup import find_inbox
from gateway.core.webhooks import check_types
from gateway.events.live import LiveEvents, Subscriber, opt_in
from gateway.store.engine import Row, Tx
from gateway.store.scope import Scope

RECHECK_SECONDS = 2.0
SEND_SECONDS = 20.0
UNAUTHORIZED, SLOW, GOING_AWAY = 4401, 4408, 1001


class Subscribe(msgspec.Struct):
    """The one frame a client sends; a later one replaces the filter."""

    type: Literal["subscribe"]
    event_types: list[str] | None = None
    inbox_ids: list[str] | None = None
    pod_ids: list[str] | None = None


class SocketDoor:
    """Takes WebSockets for one gateway."""

    def __init__(self) -> None:
        self._live: dict[int, LiveEvents] = {}
        self._open: dict[str, int] = {}

    async def __call__(self, core: Core, scope: AsgiScope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        connection = HTTPConnection(scope)
        try:
            reach = await authenticate(core, connection, in_query=True)
            if self._open.get(reach.organization, 0) >= core.settings.limits.websockets:
                raise TooMany("too many WebSockets are open", 5, fix="close one, or raise limits.websockets")
        except Exception as error:
            await socket.receive()  # websocket.connect comes first
            await _deny(socket, core_error(error))
            return
        live = self._live.get(id(core.events))
        if live is None:
            self._live.clear()
            live = self._live[id(core.events)] = LiveEvents(core.store, core.events)
        self._open[reach.organization] = self._open.get(reach.organization, 0) + 1
        metrics.sockets.inc()
        try:
            await socket.accept()
            await _Session(core, reach, socket, live, key_of(connection, in_query=True) or "").run()
        finally:
            metrics.sockets.dec()
            self._open[reach.organization] -= 1


async def _deny(socket: WebSocket, error: CoreError) -> None:
    status, body = render_error(error)
    await socket.send_denial_response(
        Response(encode(body), status, error_headers(error), "application/json")
    )


class _Session:
    def __init__(self, core: Core, scope: Scope, socket: WebSocket, live: LiveEvents, key: str) -> None:
        self.core, self.scope, self.socket, self.live, self.key = core, scope, socket, live, key
        self.wants: Callable[[Row], bool] = lambda row: False
        self.subscriber = Subscriber(lambda row: self.wants(row))

    async def run(self) -> None:
        jobs = [
            asyncio.create_task(job, name=f"socket-{name}")
            for name, job in (("read", self._read()), ("write", self._write()), ("watch", self._watch()))
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.live.remove(self.subscriber)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            if self.socket.application_state == WebSocketState.CONNECTED:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
                    await self.socket.close(GOING_AWAY)

    async def _read(self) -> None:
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("text")
            data = data.encode("utf-8", "replace") if data is not None else message.get("bytes") or b""
            try:
                await self._subscribe(data)
            except CoreError as error:
                _, body = render_error(error)
                await self._send({"type": "error", "name": body["name"], "message": body["message"]})

    async def _subscribe(self, data: bytes) -> None:
        try:
            frame = msgspec.json.decode(data, type=Subscribe)
        except msgspec.ValidationError as error:
            raise from_msgspec(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Invalid("the frame is not JSON", fix='send {"type":"subscribe"}') from None
        types = set(check_types(frame.event_types or ()))

        def read(tx: Tx) -> tuple[set[str], set[str]]:
            inboxes = {find_inbox(tx, self.scope, ref)["id"] for ref in frame.inbox_ids or ()}
            return inboxes, {find_pod(tx, self.scope, ref)["id"] for ref in frame.pod_ids or ()}

        inboxes, pods = await self.core.store.read(read)
        self.wants = _filter(self.scope, types, inboxes, pods)
        await self.live.add(self.subscriber)
        given = {
            name: value
            for name in ("event_types", "inbox_ids", "pod_ids")
            if (value := getattr(frame, name)) is not None
        }
        await self._send({"type": "subscribed", **given})

    async def _write(self) -> None:
        while True:
            row = await self.subscriber.next()
            event = render(row)
            if event is not None and await self._still_there(row):
                await self._send(event)

    async def _still_there(self, row: Row) -> bool:
        """An inbox deleted meanwhile is silent at once."""
        if row["inbox_id"] is None:
            return True
        return bool(
            await self.core.store.read(
                lambda tx: tx.value(
                    "SELECT 1 FROM inbox WHERE id = ? AND status <> 'deleting'", row["inbox_id"]
                )
            )
        )

    async def _watch(self) -> None:
        """Cut a client that does not read, and one whose key was revoked."""
        while True:
            try:
                async with asyncio.timeout(RECHECK_SECONDS):
                    await self.subscriber.overrun.wait()
                await self._close(SLOW, "the client reads too slowly; GET /events has what it missed")
                return
            except TimeoutError:
                pass
            if await self.core.keys.identify(self.core.store, self.key) is None:
                await self._close(UNAUTHORIZED, "the API key was revoked")
                return

    async def _send(self, value: dict[str, Any]) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self.socket.send_text(encode(value).decode())

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(RuntimeError, TimeoutError, OSError):
            async with asyncio.timeout(2):
                await self.socket.close(code, reason)


def _filter(scope: Scope, types: set[str], inboxes: set[str], pods: set[str]) -> Callable[[Row], bool]:
    def wants(row: Row) -> bool:
        if row["organization_id"] != scope.organization:
            return False
        if (scope.pod and row["pod_id"] != scope.pod) or (scope.inbox and row["inbox_id"] != scope.inbox):
            return False
        kind = row["type"]
        if (types and kind not in types) or (opt_in(kind) and kind not in types):
            return False
        if not inboxes and not pods:
            return True
        return row["inbox_id"] in inboxes or row["pod_id"] in pods

    return wants
