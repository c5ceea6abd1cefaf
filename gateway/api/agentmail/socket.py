"""The WebSocket at ``/api/v0`` itself: subscribe, then receive events as they happen.

Client: ``{"type":"subscribe","event_types"?,"inbox_ids"?,"pod_ids"?}``; server: ``{"type":"subscribed",…}`` with
the same lists, then events (the same JSON as a webhook's), or ``{"type":"error","name","message"}``. With Postern's own
``"last_event_id"`` the stored events after that one are sent first, without a gap or a duplicate. A wrong key is
refused with 401 before the upgrade. Keep-alives are ping frames (RFC 6455 §5.5.2): the SDKs would take a JSON one for
an event.

Close codes: 4401 the key was revoked; 4408 the client reads too slowly (resume with ``last_event_id``); 1011 an
internal error; 1012 the gateway restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket

from gateway.api.agentmail.errors import render_error
from gateway.api.agentmail.events_view import render
from gateway.api.agentmail.socket_filter import Subscribe, Subscription, resolve
from gateway.api.body import encode
from gateway.api.errors import Internal, core_error, error_headers, from_msgspec
from gateway.api.event_socket import GONE, MAX_SENT, EventSocket, Frame, SocketProtocol
from gateway.api.socket_auth import admit, counted
from gateway.core.context import Core
from gateway.core.errors import CoreError, Invalid, LimitReached
from gateway.core.event_reach import position_of
from gateway.records.events import EventHead
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

log = logging.getLogger("postern.socket")

RECHECK_SECONDS = 2.0
SEND_SECONDS = 20.0
REVOKED, SLOW, RESTART = 4401, 4408, 1012
MAX_SUBSCRIPTIONS = 100
_MAX_SENT = MAX_SENT
_FRESH_SECONDS = 0.02


async def serve_socket(core: Core, scope: AsgiScope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket, from its handshake to its close."""
    socket = WebSocket(scope, receive, send)
    try:
        key, reach = await admit(core, scope, "api_key")
    except Exception as error:
        await _deny(socket, error)
        return
    with counted(core, reach), contextlib.suppress(*GONE):
        await socket.accept()
        await _Client(core, reach, key, socket).run()


async def _deny(socket: WebSocket, error: Exception) -> None:
    refused = core_error(error)
    if isinstance(refused, Internal):
        log.error("a WebSocket was refused by a defect", exc_info=error)
    status, body = render_error(refused)
    with contextlib.suppress(*GONE):
        await socket.receive()  # websocket.connect comes first
        if "websocket.http.response" in socket.scope.get("extensions", {}):
            answer = Response(encode(body), status, error_headers(refused), "application/json")
            await socket.send_denial_response(answer)
            await asyncio.sleep(0.01)  # uvicorn logs an error if we return before the connection is closed
        else:
            await socket.close(REVOKED if status == 401 else 1008)


class _Client:
    """A connected client and its subscriptions."""

    def __init__(self, core: Core, scope: Scope, key: str, socket: WebSocket) -> None:
        self._core = core
        self._subscriptions: list[Subscription] = []
        self._events = EventSocket(core, scope, key, socket, _protocol(), self._wants)

    async def run(self) -> None:
        """Serve until the socket closes."""
        await self._events.run(self._subscribe)

    def _wants(self, event: EventHead) -> bool:
        return any(one.wants(event) for one in self._subscriptions)

    async def _subscribe(self, data: bytes) -> None:
        frame, scope = _frame(data), self._events.scope

        def read(tx: Tx) -> tuple[Subscription, int | None]:
            after = frame.last_event_id
            return resolve(tx, scope, frame), None if after is None else position_of(tx, scope, after)

        subscription, position = await self._core.store.read(read)
        if subscription not in self._subscriptions and len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise LimitReached(
                f"this WebSocket has its {MAX_SUBSCRIPTIONS} subscriptions", fix="open another one"
            )
        given = {name: getattr(frame, name) for name in ("event_types", "inbox_ids", "pod_ids")}
        confirmation = {"type": "subscribed", **{name: one for name, one in given.items() if one is not None}}

        def adopt() -> None:
            if subscription not in self._subscriptions:
                self._subscriptions.append(subscription)

        await self._events.widen(subscription.wants, position, confirmation, adopt)


def _protocol() -> SocketProtocol:
    return SocketProtocol(
        dialect="agentmail",
        render=render,
        refuse=_refusal,
        revoked=REVOKED,
        slow=SLOW,
        restart=RESTART,
        recheck=RECHECK_SECONDS,
        patience=SEND_SECONDS,
        fresh=_FRESH_SECONDS,
        remember=_MAX_SENT,
    )


def _refusal(error: CoreError) -> Frame:
    _, body = render_error(error)
    return {"type": "error", "name": body["name"], "message": body["message"]}


def _frame(data: bytes) -> Subscribe:
    try:
        return msgspec.json.decode(data, type=Subscribe)
    except msgspec.ValidationError as error:
        raise from_msgspec(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("the frame is not JSON", fix='send {"type":"subscribe"}') from None
