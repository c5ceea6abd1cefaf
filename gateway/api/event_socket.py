"""An accepted WebSocket that tells events: what the sockets of all dialects share.

A dialect reads its own frames and keeps its own filter; here are the order of things and their end. What is stored
comes before what is new, each event once; a client that reads too slowly, a key that was revoked and a gateway that
stops end the socket, each with the dialect's close code. Whoever was cut resumes from the log, which is the truth.

Three jobs run side by side: one reads frames, one writes events (replays first, then what happens), one watches
over the key. So a long replay keeps nobody from answering a ping.
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
"""What sending to a client that went raises. (TimeoutError is an OSError: look at it first.)"""

NORMAL, DEFECT, TRY_AGAIN = 1000, 1011, 1013
MAX_SENT = 20 * OVERLAP
"""Events of which a socket remembers that it sent them."""

_MAX_REPLAYS = 100
_HEADS = 500
_ROWS = 20

Frame = Mapping[str, object]
Wants = Callable[[EventHead], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketProtocol:
    """How the sockets of a dialect speak and end. Times are seconds."""

    dialect: str
    render: Render
    refuse: Callable[[CoreError], Frame]
    revoked: int
    slow: int
    restart: int
    say_why: bool = False  # the reason goes as an error frame before one of the dialect's own close codes
    recheck: float = 2.0  # how often the key is looked at
    patience: float = 20.0  # for one frame to be taken
    fresh: float = 0.02  # so long an event is believed that its inbox is there
    remember: int = MAX_SENT


class Ended(Exception):
    """The socket is to be closed, by a frame that does not do."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class EventSocket:
    """One accepted socket. ``wants`` is the dialect's filter as it stands, the key's reach apart."""

    def __init__(
        self, core: Core, scope: Scope, key: str, socket: WebSocket, protocol: SocketProtocol, wants: Wants
    ) -> None:
        self.scope = scope
        self._core, self._key, self._socket, self._manner = core, key, socket, protocol
        self._filter = wants
        self._stream = Stream(scope.organization, self._wants, protocol.dialect)
        self._joined = False
        self._replays: deque[tuple[Wants, int]] = deque()
        self._sent: dict[str, None] = {}
        self._turn = asyncio.Lock()

    async def run(self, on_frame: Callable[[bytes], Awaitable[None]]) -> None:
        """Serve until the client goes, is cut, its key ends, or the gateway stops.

        ``on_frame`` is called with each frame in turn; a CoreError it raises is told, Ended closes the socket.
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

    async def hear(
        self, wants: Wants, position: int | None, confirmation: Frame, adopt: Callable[[], None]
    ) -> None:
        """Widen the filter by ``wants`` (``adopt`` does it), confirm, and tell what it asks for: after the log's
        ``position`` when there is one, else from now on. No event that only ``wants`` asks for comes before the
        confirmation. Raises LimitReached, StoreDown."""
        if len(self._replays) >= _MAX_REPLAYS:
            raise LimitReached("too many replays are under way on this WebSocket", fix="wait for them to end")
        async with self._turn:
            if position is None:
                await self._join()
            adopt()
            if position is not None:
                self._replays.append((wants, position))
                self._core.live.replay(self._stream, position)
                self._stream.wake()
            await self.say(confirmation)

    async def hear_less(self, confirmation: Frame, adopt: Callable[[], None]) -> None:
        """Narrow the filter (``adopt`` does it) and confirm: nothing of what left it comes after that."""
        async with self._turn:
            adopt()
            self._core.live.stir()  # what it wanted may be a webhook's now
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
                await self.say(self._manner.refuse(core_error(error)))

    async def _write(self) -> tuple[int, str]:
        while True:
            while self._replays:
                await self._replay(*self._replays.popleft())
                if not self._replays:
                    self._core.live.replay(self._stream, None)
            happened = await self._stream.next()
            if happened is not None:
                await self._tell(happened)

    async def _watch(self) -> tuple[int, str]:
        """Ends when the client has fallen behind, or its key was revoked; a key's new reach counts at once."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._manner.recheck):
                    await self._stream.lost.wait()
                return self._manner.slow, _SLOWLY
            with contextlib.suppress(StoreDown):
                scope = await self._core.keys.identify(self._core.store, self._key)
                if scope is None:
                    return self._manner.revoked, "the API key was revoked or has expired"
                self.scope = scope

    async def _restart(self) -> tuple[int, str]:
        await self._core.live.closing.wait()
        return self._manner.restart, "the gateway stops: connect again, and resume with last_event_id"

    # --- events ---

    async def _replay(self, wants: Wants, start: int) -> None:
        """Send what is stored after ``start``, then hear what comes.

        After joining, one more look at the end of the log finds what was committed between the last page and
        the joining; what is then heard twice is known by its id.
        """
        organization, position, last_look = self.scope.organization, start, False
        while True:
            # the payloads, which can be large, are read for those that are wanted
            heads = await self._core.store.read(
                partial(event_heads_after, organization=organization, seq=position, most=_HEADS)
            )
            ids = [one.id for one in heads if wants(one) and self._wants(one)]
            for at in range(0, len(ids), _ROWS):
                events = await self._core.store.read(partial(unscoped_events, event_ids=ids[at : at + _ROWS]))
                read_at = time.monotonic()
                for event in events:
                    await self._tell(Happened(event, read_at))
            position = heads[-1].seq if heads else position
            if len(heads) == _HEADS:
                continue
            if last_look:
                return
            await self._join()
            position, last_look = max(start, position - OVERLAP), True

    async def _join(self) -> None:
        if not self._joined:
            await self._core.live.join(self._stream, self._core.store, self._core.events)
            self._joined = True

    def _wants(self, event: EventHead) -> bool:
        return self._filter(event) and may_hear(self.scope, event)

    async def _tell(self, happened: Happened) -> None:
        event_id = happened.event.id
        told = event_id in self._sent
        if not told and await self._told_now(happened):
            told = True
            self._sent[event_id] = None
            if len(self._sent) > self._manner.remember:
                del self._sent[next(iter(self._sent))]
        self._core.live.settle(self._stream, event_id, told=told)

    async def _told_now(self, happened: Happened) -> bool:
        if not await self._still_there(happened):
            return False
        try:
            text = happened.text(self._manner.dialect, self._manner.render)
        except Exception:  # one event that cannot be shown must not end the socket each time it is replayed
            log.exception("event evt_%s cannot be rendered for a WebSocket", happened.event.id)
            return False
        if text is None:
            return False
        async with self._turn:
            if not self._wants(happened.event):  # it unsubscribed meanwhile, or its key reaches less
                return False
            await self._send(text)
        return True

    async def _still_there(self, happened: Happened) -> bool:
        """Of an inbox that was deleted while its event waited nothing more is said."""
        inbox_id = happened.event.inbox_id
        if inbox_id is None or time.monotonic() - happened.since < self._manner.fresh:
            return True
        found = await self._core.store.read(lambda tx: unscoped_lasting_inbox(tx, inbox_id))
        return found is not None

    # --- the wire ---

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(self._manner.patience):
            await self._socket.send_text(text)

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state != WebSocketState.CONNECTED:
            return
        with contextlib.suppress(*GONE):
            # a peer that reads nothing would keep the close frame waiting for ever
            async with asyncio.timeout(2.0):
                if self._manner.say_why:
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
                return self._manner.slow, _SLOWLY
            if isinstance(error, StoreDown):
                return TRY_AGAIN, "the database cannot be reached now: try again"
            if not isinstance(error, GONE):
                log.error("a WebSocket ended by a defect", exc_info=error)
                return DEFECT, "an unexpected error; it is in the log"
        return NORMAL, ""


async def say_goodbye(socket: WebSocket, code: int, reason: str) -> None:
    """Close an accepted socket, with the reason as an error frame before when the code is a dialect's own."""
    if code >= 4000:
        await socket.send_text(dump({"type": "error", "message": reason}))
    await socket.close(code, reason)


_SLOWLY = "reading too slowly: resume with last_event_id"
