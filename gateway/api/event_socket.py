"""An accepted WebSocket that sends events: the part that all dialects share.

A dialect reads its own frames and keeps its own filter. This module keeps the order and closes the socket. Stored
events are sent before new ones, each event once. The socket is closed with the dialect's close code when the client
reads too slowly, when its key is revoked and when the gateway stops; the client then resumes from the event log.

Three jobs run concurrently: one reads frames, one sends events (replays first, then new ones), one checks the key.
So frames are answered during a long replay, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.api.errors import core_error
from gateway.core.context import Core
from gateway.core.errors import CoreError, LimitReached
from gateway.core.event_reach import may_hear
from gateway.events.live import OVERLAP, Happened, Render, Stream
from gateway.records.events import EventHead
from gateway.store.engine import StoreDown
from gateway.store.json_columns import dump
from gateway.store.queries.events import event_heads_after, unscoped_events
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.scope import Scope

log = logging.getLogger("postern.socket")

GONE = (WebSocketDisconnect, RuntimeError, OSError)
"""What sending to a client that has gone raises. (TimeoutError is an OSError: check for it first.)"""

NORMAL, DEFECT, TRY_AGAIN = 1000, 1011, 1013
MAX_SENT = 20 * OVERLAP
"""How many sent events a socket remembers, so that it sends none twice."""

_MAX_REPLAYS = 100
_HEADS = 500  # event heads read at a time
_EVENTS = 20  # events read with their payloads at a time

Frame = Mapping[str, object]
Wants = Callable[[EventHead], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketProtocol:
    """Formats, close codes and limits of a dialect's sockets. Times are seconds."""

    dialect: str
    render: Render
    refuse: Callable[[CoreError], Frame]
    revoked: int
    slow: int
    restart: int
    say_why: bool = False  # send the reason as an error frame before one of the dialect's own close codes
    recheck: float = 2.0  # how often the key is checked
    patience: float = 20.0  # for the client to read one frame
    fresh: float = 0.02  # for so long after an event was read its inbox is not checked again
    remember: int = MAX_SENT


class Ended(Exception):
    """Closes the socket because of an invalid frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class EventSocket:
    """One accepted socket. ``wants``: the dialect's current filter; the key's scope is checked as well."""

    def __init__(
        self, core: Core, scope: Scope, key: str, socket: WebSocket, protocol: SocketProtocol, wants: Wants
    ) -> None:
        self.scope = scope
        self._core, self._key, self._socket, self._protocol = core, key, socket, protocol
        self._filter = wants
        self._stream = Stream(scope.organization, self._wants, protocol.dialect)
        self._joined = False
        self._replays: deque[tuple[Wants, int]] = deque()
        self._sent: dict[str, None] = {}
        self._turn = asyncio.Lock()

    async def run(self, on_frame: Callable[[bytes], Awaitable[None]]) -> None:
        """Serve until the client leaves or reads too slowly, its key is revoked, or the gateway stops.

        ``on_frame`` is called with each frame in turn. A CoreError it raises is sent as a frame; Ended closes.
        """
        jobs = [
            asyncio.create_task(job, name=f"socket-{name}")
            for name, job in (
                ("read", self._read(on_frame)),
                ("write", self._write()),
                ("watch", self._watch()),
                ("restart", self._restart()),
            )
        ]
        code, reason = NORMAL, ""
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            code, reason = self._why(done)
        finally:
            self._core.live.leave(self._stream)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._close(code, reason)

    async def widen(
        self, wants: Wants, position: int | None, confirmation: Frame, adopt: Callable[[], None]
    ) -> None:
        """Add ``wants`` to the filter (by calling ``adopt``), confirm, and send its events: those after the log's
        ``position`` when one is given, else new ones only. Events that only ``wants`` asks for follow the
        confirmation. Raises LimitReached, StoreDown."""
        if len(self._replays) >= _MAX_REPLAYS:
            raise LimitReached("too many replays are running on this WebSocket", fix="wait for them to end")
        async with self._turn:
            if position is None:
                await self._join()
            adopt()
            if position is not None:
                self._replays.append((wants, position))
                self._core.live.replay(self._stream, position)
                self._stream.wake()
            await self.say(confirmation)

    async def narrow(self, confirmation: Frame, adopt: Callable[[], None]) -> None:
        """Narrow the filter (by calling ``adopt``) and confirm. No event outside the new filter follows."""
        async with self._turn:
            adopt()
            self._core.live.stir()  # a webhook may get what this socket no longer wants
            await self.say(confirmation)

    async def say(self, frame: Frame) -> None:
        """Send a frame."""
        await self._send(dump(frame))

    # --- the jobs ---

    async def _read(self, on_frame: Callable[[bytes], Awaitable[None]]) -> tuple[int, str]:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return NORMAL, ""
            text = message.get("text")
            data = text.encode("utf-8", "replace") if text is not None else message.get("bytes") or b""
            try:
                await on_frame(data)
            except (CoreError, StoreDown) as error:
                await self.say(self._protocol.refuse(core_error(error)))

    async def _write(self) -> tuple[int, str]:
        while True:
            while self._replays:
                await self._replay(*self._replays.popleft())
                if not self._replays:
                    self._core.live.replay(self._stream, None)
            happened = await self._stream.next()
            if happened is not None:
                await self._deliver(happened)

    async def _watch(self) -> tuple[int, str]:
        """Return when the client is too slow or its key was revoked; keep ``scope`` up to date."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._protocol.recheck):
                    await self._stream.lost.wait()
                return self._protocol.slow, _SLOWLY
            with contextlib.suppress(StoreDown):
                scope = await self._core.keys.identify(self._core.store, self._key)
                if scope is None:
                    return self._protocol.revoked, "the API key was revoked or has expired"
                self.scope = scope

    async def _restart(self) -> tuple[int, str]:
        await self._core.live.closing.wait()
        return self._protocol.restart, "the gateway is stopping: connect again, and resume with last_event_id"

    # --- events ---

    async def _replay(self, wants: Wants, start: int) -> None:
        """Send the stored events after ``start``, then join the live stream.

        After joining, the end of the log is read once more, for events committed between the last page and the
        joining. Events that then come twice are recognised by their ids.
        """
        organization, position, last_read = self.scope.organization, start, False
        while True:
            # payloads can be large: read only those of wanted events
            heads = await self._core.store.read(
                partial(event_heads_after, organization=organization, seq=position, most=_HEADS)
            )
            ids = [head.id for head in heads if wants(head) and self._wants(head)]
            for at in range(0, len(ids), _EVENTS):
                events = await self._core.store.read(
                    partial(unscoped_events, event_ids=ids[at : at + _EVENTS])
                )
                read_at = time.monotonic()
                for event in events:
                    await self._deliver(Happened(event, read_at))
            position = heads[-1].seq if heads else position
            if len(heads) == _HEADS:
                continue
            if last_read:
                return
            await self._join()
            position, last_read = max(start, position - OVERLAP), True

    async def _join(self) -> None:
        if not self._joined:
            await self._core.live.join(self._stream, self._core.store, self._core.events)
            self._joined = True

    def _wants(self, event: EventHead) -> bool:
        return self._filter(event) and may_hear(self.scope, event)

    async def _deliver(self, happened: Happened) -> None:
        event_id = happened.event.id
        sent = event_id in self._sent
        if not sent and await self._send_event(happened):
            sent = True
            self._sent[event_id] = None
            if len(self._sent) > self._protocol.remember:
                del self._sent[next(iter(self._sent))]
        self._core.live.settle(self._stream, event_id, sent=sent)

    async def _send_event(self, happened: Happened) -> bool:
        """Send an event unless its inbox is gone or the filter leaves it out; whether it was sent."""
        if not await self._inbox_exists(happened):
            return False
        try:
            text = happened.text(self._protocol.dialect, self._protocol.render)
        except Exception:  # one bad event must not end the socket each time it is replayed
            log.exception("event %s cannot be rendered for a WebSocket", happened.event.public_id)
            return False
        if text is None:
            return False
        async with self._turn:
            if not self._wants(
                happened.event
            ):  # meanwhile the client unsubscribed, or its key's scope shrank
                return False
            await self._send(text)
        return True

    async def _inbox_exists(self, happened: Happened) -> bool:
        """Whether the event's inbox still exists: events of a deleted inbox are not sent."""
        inbox_id = happened.event.inbox_id
        if inbox_id is None or time.monotonic() - happened.since < self._protocol.fresh:
            return True
        inbox = await self._core.store.read(lambda tx: unscoped_lasting_inbox(tx, inbox_id))
        return inbox is not None

    # --- frames ---

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(self._protocol.patience):
            await self._socket.send_text(text)

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state != WebSocketState.CONNECTED:
            return
        with contextlib.suppress(*GONE):
            # a client that reads nothing would block the close frame for ever
            async with asyncio.timeout(2.0):
                if self._protocol.say_why:
                    await say_goodbye(self._socket, code, reason)
                else:
                    await self._socket.close(code, reason)

    def _why(self, done: set[asyncio.Task[tuple[int, str]]]) -> tuple[int, str]:
        """The close code of the job that ended first."""
        for job in done:
            error = job.exception()
            if error is None:
                return job.result()
            if isinstance(error, Ended):
                return error.code, error.reason
            if isinstance(error, TimeoutError):
                return self._protocol.slow, _SLOWLY
            if isinstance(error, StoreDown):
                return TRY_AGAIN, "the database cannot be reached now: try again"
            if not isinstance(error, GONE):
                log.error("a WebSocket ended with an unexpected error", exc_info=error)
                return DEFECT, "an unexpected error; it is in the log"
        return NORMAL, ""


async def say_goodbye(socket: WebSocket, code: int, reason: str) -> None:
    """Close an accepted socket. Before a dialect's own close code (4000 and above) an error frame has the reason."""
    if code >= 4000:
        await socket.send_text(dump({"type": "error", "message": reason}))
    await socket.close(code, reason)


_SLOWLY = "the client reads too slowly: resume with last_event_id"
