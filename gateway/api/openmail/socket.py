"""The WebSocket at ``/v1/ws`` itself (contract §9): subscribe, unsubscribe, ping; then events as they happen.

An event is the webhook's very JSON. With ``last_event_id`` the stored events after that one come first (all that are
kept), without a gap or a double. A handshake is always accepted, because clients take an HTTP error for a passing
one: what is wrong is in an error frame, and the close code says whether to come again.

Close codes: 1001 the gateway stops: connect again; 1013 the client reads too slowly, or the database is away: connect
again; 4001 the key is wrong or was revoked; 4008 too many sockets are open; 4029 too many messages; 1011 a defect of
ours. 4001 and 4008 make OpenMail's own client give up.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque

from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket

from gateway.api.errors import Internal, Unauthorized, core_error
from gateway.api.event_socket import DEFECT, GONE, TRY_AGAIN, Ended, EventSocket, SocketProtocol, say_goodbye
from gateway.api.openmail.events_view import render
from gateway.api.openmail.socket_filter import Filter, asked, named
from gateway.api.openmail.socket_protocol import (
    PONG,
    Ping,
    Subscribe,
    Unsubscribe,
    error_frame,
    frame_of,
    subscribed,
    unsubscribed,
)
from gateway.api.socket_auth import TooManyOpen, admit, counted
from gateway.core.context import Core
from gateway.core.errors import NotFound, TooMany
from gateway.core.event_reach import position_of
from gateway.events.dialect_format import Try
from gateway.records.events import Event
from gateway.records.ids import INBOX_ID, now_us
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

log = logging.getLogger("postern.socket")

RESTART, UNAUTHORIZED, FULL, TOO_FAST = 1001, 4001, 4008, 4029
PACE_SECONDS = 10.0


async def serve_socket(core: Core, scope: AsgiScope, receive: Receive, send: Send) -> None:
    """Take one WebSocket, from its handshake to its end."""
    socket = WebSocket(scope, receive, send)
    try:
        key, reach = await admit(core, scope, "token")
    except Exception as error:
        with contextlib.suppress(*GONE):
            await socket.accept()
            await say_goodbye(socket, *_refusal(error))
        return
    with counted(core, reach), contextlib.suppress(*GONE):
        await socket.accept()
        await _Listener(core, reach, key, socket).run()


def _refusal(error: Exception) -> tuple[int, str]:
    """The close code and the reason for one who is not let in."""
    refused = core_error(error)
    if isinstance(refused, Internal):
        log.error("a WebSocket was refused by a defect", exc_info=error)
        return DEFECT, refused.message
    if isinstance(refused, Unauthorized):
        return UNAUTHORIZED, "Missing or invalid API key: send Authorization: Bearer KEY, or ?token=KEY"
    if isinstance(refused, TooManyOpen):
        return FULL, refused.message
    return TOO_FAST if isinstance(refused, TooMany) else TRY_AGAIN, refused.message


class _Listener:
    """A client, its filter and the pace of its messages."""

    def __init__(self, core: Core, scope: Scope, key: str, socket: WebSocket) -> None:
        self._core = core
        self._filter = Filter()
        self._pace = _Pace(core.settings.limits.websocket_messages)
        self._events = EventSocket(
            core, scope, key, socket, _manner(core), lambda event: self._filter.wants(event)
        )

    async def run(self) -> None:
        """Serve until the end."""
        await self._events.run(self._take)

    async def _take(self, data: bytes) -> None:
        self._pace.count()
        match frame_of(data):
            case Subscribe() as frame:
                await self._subscribe(frame)
            case Unsubscribe() as frame:
                await self._unsubscribe(frame)
            case Ping():
                await self._events.say(PONG)

    async def _subscribe(self, frame: Subscribe) -> None:
        scope = self._events.scope

        def read(tx: Tx) -> tuple[Filter, int | None]:
            wanted, after = asked(tx, scope, frame), frame.last_event_id
            try:
                return wanted, None if after is None else position_of(tx, scope, after)
            except NotFound:
                return wanted, None  # it stays subscribed: clients only log the error

        wanted, position = await self._core.store.read(read)
        new = self._filter.plus(wanted)
        await self._events.widen(wanted.wants, position, subscribed(*new.shown()), lambda: self._adopt(new))
        if frame.last_event_id is not None and position is None:
            await self._events.say(error_frame(_unknown(frame.last_event_id)))

    async def _unsubscribe(self, frame: Unsubscribe) -> None:
        scope, current = self._events.scope, self._filter
        gone = await self._core.store.read(lambda tx: named(tx, scope, current, frame.inbox_ids))
        new, shown = current.minus(gone), [INBOX_ID.public(one) for one in sorted(gone)]
        await self._events.narrow(unsubscribed(shown), lambda: self._adopt(new))

    def _adopt(self, new: Filter) -> None:
        self._filter = new


def _unknown(event_id: str) -> NotFound:
    return NotFound(
        f"last_event_id {event_id[:100]!r} names no event that is kept: you get only events from now on",
        fix="list the messages to find what was missed",
    )


class _Pace:
    """How many messages came lately. ``most`` 0: no limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque(maxlen=most or 1)

    def count(self) -> None:
        """Count one. Raises Ended when it is one too many."""
        now, full = time.monotonic(), len(self._times) == self._most
        if full and self._most and now - self._times[0] < PACE_SECONDS:
            raise Ended(TOO_FAST, f"more than {self._most} messages in {PACE_SECONDS:g} seconds")
        self._times.append(now)


def _manner(core: Core) -> SocketProtocol:
    public_url = core.settings.http.public_url.rstrip("/")

    def shown(event: Event) -> object | None:
        return render(event, Try(1, now_us()), public_url)

    return SocketProtocol(
        dialect="openmail",
        render=shown,
        refuse=error_frame,
        revoked=UNAUTHORIZED,
        slow=TRY_AGAIN,
        restart=RESTART,
        say_why=True,
    )
