"""The WebSocket at ``/api/v0`` itself: subscribe, then hear events as they happen.

Client: ``{"type":"subscribe","event_types"?,"inbox_ids"?,"pod_ids"?}``; server: ``{"type":"subscribed",…}`` with
the same lists, then events (the webhook's very JSON), or ``{"type":"error","name","message"}``. With our own
``"last_event_id"`` the stored events after that one come first, without a gap or a double. A wrong key is refused
with 401 before the upgrade. Keep-alive is the protocol's ping; a JSON one would be misread by the SDKs.

Close codes: 4401 the key was revoked; 4408 the client reads too slowly (resume with ``last_event_id``); 1011 a
defect of ours; 1012 the gateway restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway import metrics
from gateway.api.agentmail.errors import render_error
from gateway.api.agentmail.events_view import render
from gateway.api.agentmail.socket_filter import Choice, Subscribe, choose, may_hear
from gateway.api.auth import authenticate, key_of
from gateway.api.body import encode
from gateway.api.errors import Internal, Unauthorized, core_error, error_headers, from_msgspec
from gateway.api.ratelimit import rate_limit
from gateway.core.context import Core
from gateway.core.errors import CoreError, Invalid, LimitReached, NotFound, TooMany
from gateway.events.live import OVERLAP, Happened, Stream
from gateway.store.engine import Row, StoreDown, Tx
from gateway.store.ids import parse_id
from gateway.store.jsontext import dump
from gateway.store.scope import Scope

log = logging.getLogger("postern.socket")

RECHECK_SECONDS = 2.0
SEND_SECONDS = 20.0
REVOKED, SLOW, DEFECT = 4401, 4408, 1011
MAX_CHOICES = 100
_PAGE = 100
_MAX_SENT = 20 * OVERLAP
_FRESH_SECONDS = 0.02
_GONE = (WebSocketDisconnect, RuntimeError, OSError)  # (TimeoutError is an OSError: look at it first)


async def serve_socket(core: Core, scope: AsgiScope, receive: Receive, send: Send) -> None:
    """Take one WebSocket, from its handshake to its end."""
    socket = WebSocket(scope, receive, send)
    connection = HTTPConnection(scope)
    try:
        key = _take_key(connection)
        reach = await authenticate(core, connection, in_query=True)
        _hide_key(scope)
        rate_limit(core, reach, {})
        most = core.settings.limits.websockets
        if most and core.live.open[reach.organization] >= most:
            raise TooMany(f"{most} WebSockets are open", 30, fix="close one, or raise limits.websockets")
    except Exception as error:
        _hide_key(scope)
        await _deny(socket, error)
        return
    core.live.open[reach.organization] += 1
    metrics.sockets.inc()
    try:
        with contextlib.suppress(*_GONE):
            await socket.accept()
            await _Session(core, reach, socket, key).run()
    finally:
        metrics.sockets.dec()
        core.live.open[reach.organization] -= 1
        if not core.live.open[reach.organization]:
            del core.live.open[reach.organization]


def _take_key(connection: HTTPConnection) -> str:
    try:
        return key_of(connection, in_query=True) or ""
    except ValueError:  # a hundred parameters and more
        raise Unauthorized("the query cannot be read", code="missing_api_key") from None


def _hide_key(scope: AsgiScope) -> None:
    """The server logs the URL of a WebSocket; the key in it must not get there."""
    query = scope.get("query_string", b"")
    if b"api" in query or b"%" in query:
        try:
            kept = [
                one for one in parse_qsl(query.decode("latin-1"), max_num_fields=100) if one[0] != "api_key"
            ]
            scope["query_string"] = urlencode(kept).encode()
        except ValueError:
            scope["query_string"] = b""


async def _deny(socket: WebSocket, error: Exception) -> None:
    refused = core_error(error)
    if isinstance(refused, Internal):
        log.error("a WebSocket was refused by a defect", exc_info=error)
    status, body = render_error(refused)
    with contextlib.suppress(*_GONE):
        await socket.receive()  # websocket.connect comes first
        if "websocket.http.response" in socket.scope.get("extensions", {}):
            answer = Response(encode(body), status, error_headers(refused), "application/json")
            await socket.send_denial_response(answer)
            await asyncio.sleep(0.01)  # uvicorn logs an error if we return before the connection is closed
        else:
            await socket.close(REVOKED if status == 401 else 1008)


class _Session:
    """An accepted socket. ``_lock`` is held by whoever sends, so a replay is not mixed with live events."""

    def __init__(self, core: Core, scope: Scope, socket: WebSocket, key: str) -> None:
        self._core, self._scope, self._socket, self._key = core, scope, socket, key
        self._choices: list[Choice] = []
        self._stream = Stream(scope.organization, self._wants)
        self._joined = False
        self._sent: dict[str, None] = {}
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Serve until the client goes, is cut, or its key ends."""
        jobs = [
            asyncio.create_task(job, name=f"socket-{name}")
            for name, job in (("read", self._read()), ("write", self._write()), ("watch", self._watch()))
        ]
        code, reason = 1000, ""
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            code, reason = _why(done)
        finally:
            self._core.live.leave(self._stream)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state != WebSocketState.CONNECTED:
            return
        # a peer that reads nothing would keep the close frame waiting for ever
        with contextlib.suppress(*_GONE):
            async with asyncio.timeout(2.0):
                await self._socket.close(code, reason)

    def _wants(self, row: Row) -> bool:
        return any(one.wants(row) for one in self._choices) and may_hear(self._scope, row)

    # --- the client's frames ---

    async def _read(self) -> tuple[int, str]:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return 1000, ""
            text = message.get("text")
            data = text.encode("utf-8", "replace") if text is not None else message.get("bytes") or b""
            try:
                await self._subscribe(_frame(data))
            except (CoreError, StoreDown) as error:
                _, body = render_error(core_error(error))
                async with self._lock:
                    await self._say({"type": "error", "name": body["name"], "message": body["message"]})

    async def _subscribe(self, frame: Subscribe) -> None:
        def read(tx: Tx) -> tuple[Choice, int | None]:
            return choose(tx, self._scope, frame), _position(tx, self._scope, frame.last_event_id)

        choice, position = await self._core.store.read(read)
        if choice not in self._choices and len(self._choices) >= MAX_CHOICES:
            raise LimitReached(f"this WebSocket has its {MAX_CHOICES} subscriptions", fix="open another one")
        async with self._lock:
            if position is None:
                await self._join()
            if choice not in self._choices:
                self._choices.append(choice)
            given = {name: getattr(frame, name) for name in ("event_types", "inbox_ids", "pod_ids")}
            await self._say(
                {"type": "subscribed", **{name: one for name, one in given.items() if one is not None}}
            )
            if position is not None:
                await self._replay(choice, position)

    async def _replay(self, choice: Choice, start: int) -> None:
        """Send what is stored after ``start``, then hear what comes; the lock is held.

        After joining, one more look at the end of the log finds what was committed between the last page and
        the joining; what is then heard twice is known by its id.
        """
        position, last_look = start, False
        while True:
            rows = await self._core.store.read(
                partial(_after, organization=self._scope.organization, seq=position)
            )
            read_at = time.monotonic()
            for row in rows:
                position = row["seq"]
                if choice.wants(row) and may_hear(self._scope, row):
                    await self._tell(Happened(row, read_at))
            if len(rows) == _PAGE:
                continue
            if last_look:
                return
            await self._join()
            position, last_look = max(start, position - OVERLAP), True

    async def _join(self) -> None:
        if not self._joined:
            await self._core.live.join(self._stream, self._core.store, self._core.events)
            self._joined = True

    # --- events ---

    async def _write(self) -> tuple[int, str]:
        while True:
            happened = await self._stream.next()
            async with self._lock:
                await self._tell(happened)

    async def _tell(self, happened: Happened) -> None:
        event_id = happened.row["id"]
        if event_id in self._sent or not may_hear(self._scope, happened.row):
            return
        text = happened.text("agentmail", render)
        if text is None or not await self._still_there(happened):
            return
        self._sent[event_id] = None
        if len(self._sent) > _MAX_SENT:
            del self._sent[next(iter(self._sent))]
        await self._send(text)

    async def _still_there(self, happened: Happened) -> bool:
        """Of an inbox that was deleted while its event waited nothing more is said."""
        inbox_id = happened.row["inbox_id"]
        if inbox_id is None or time.monotonic() - happened.since < _FRESH_SECONDS:
            return True
        found = await self._core.store.read(
            lambda tx: tx.value("SELECT status FROM inbox WHERE id = ?", inbox_id)
        )
        return found is not None and found != "deleting"

    async def _say(self, frame: dict[str, object]) -> None:
        await self._send(dump(frame))

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._socket.send_text(text)

    async def _watch(self) -> tuple[int, str]:
        """Ends when the client has fallen behind, or its key was revoked; a key's new reach counts at once."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    await self._stream.lost.wait()
                return SLOW, "reading too slowly: resume with last_event_id"
            with contextlib.suppress(StoreDown):
                scope = await self._core.keys.identify(self._core.store, self._key)
                if scope is None:
                    return REVOKED, "the API key was revoked or has expired"
                self._scope = scope


def _why(done: set[asyncio.Task[tuple[int, str]]]) -> tuple[int, str]:
    """The close code of the job that ended first."""
    for job in done:
        error = job.exception()
        if error is None:
            return job.result()
        if isinstance(error, TimeoutError):
            return SLOW, "reading too slowly: resume with last_event_id"
        if isinstance(error, StoreDown):
            return 1013, "the database cannot be reached now: try again"
        if not isinstance(error, _GONE):
            log.error("a WebSocket ended by a defect", exc_info=error)
            return DEFECT, "an unexpected error; it is in the log"
    return 1000, ""


def _frame(data: bytes) -> Subscribe:
    try:
        return msgspec.json.decode(data, type=Subscribe)
    except msgspec.ValidationError as error:
        raise from_msgspec(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("the frame is not JSON", fix='send {"type":"subscribe"}') from None


def _position(tx: Tx, scope: Scope, event_id: str | None) -> int | None:
    if event_id is None:
        return None
    row = tx.row("SELECT * FROM event WHERE id = ?", parse_id("evt", event_id) or "")
    if row is None or not may_hear(scope, row):
        raise NotFound(
            "last_event_id names no event that is kept: subscribe without it, and list what was missed",
            fix="GET /events lists what is kept",
        )
    return int(row["seq"])


def _after(tx: Tx, organization: str, seq: int) -> list[Row]:
    return tx.rows(
        "SELECT * FROM event WHERE organization_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        organization,
        seq,
        _PAGE,
    )
