"""uvicorn's HTTP protocol, with deadlines and limits for connections.

The head of a request must come within ``header_seconds``, its body at a minimum rate (``mailserver.pace``), and a
connection whose client does not read the answer is closed. One client (an IPv4 address or IPv6 /64) has at most a
quarter of the connections, and the last tenth is kept for clients that have none (``mailserver.doorway``). Reverse
proxies and programs on this machine may have all connections: they limit their clients themselves.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mailserver.doorway import Doorway, Place
from mailserver.machine import is_loopback
from mailserver.pace import Pace

MOST_HEAD = 64 * 1024
"""Octets of a request's line and headers."""
_UNREAD_SECONDS = 60.0
_SPARE_FILES = 256
"""Descriptors that are kept for everything but HTTP connections."""


class Guard:
    """The limits that the connections of one server share.

    Args:
        connections: most connections at once; fewer where the process may not open so many files.
        header_seconds: seconds that the head of a request may take, from its first octet or that of the connection.
        pace: minimum rate of a body.
        proxies: addresses without a limit for each client.
    """

    def __init__(
        self, connections: int, header_seconds: float, pace: Pace, proxies: Collection[str] = ()
    ) -> None:
        most = min(connections, max(_SPARE_FILES, raise_file_limit() // 2 - _SPARE_FILES))
        self.header_seconds = header_seconds
        self.pace = pace
        self._proxies = frozenset(proxies)
        self._doorway = Doorway(most, max(1, most // 4), most // 10)

    def enter(self, address: str) -> Place | None:
        """A place for a connection from ``address`` (empty: a Unix socket); None when there is none."""
        known = not address or address in self._proxies or is_loopback(address)
        return self._doorway.enter_known() if known else self._doorway.enter(address)

    def leave(self, place: Place) -> None:
        """Give the place of a closed connection back."""
        self._doorway.leave(place)


def raise_file_limit() -> int:
    """Raise the process's limit of open files as far as the system lets it; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return 65536 if soft == resource.RLIM_INFINITY else soft


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard
        self._place: Place | None = None
        self._timer: asyncio.TimerHandle | None = None  # deadline of the head or body that is being read
        self._unread: asyncio.TimerHandle | None = None  # deadline of a client that does not read
        self._head = 0  # octets of the head so far
        self._in_head = True
        self._in_body = False
        self._began = 0.0
        self._body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._place = self._guard.enter(self.client[0] if self.client else "")
        if self._place is None:
            self._refuse(503, "too many connections, try again later", b"retry-after: 10\r\n")
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_up_place()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._place is None:
            return
        if not self._in_head and not self._in_body and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MOST_HEAD and not self.transport.is_closing():
            self._refuse(431, f"the head of the request is larger than {MOST_HEAD} octets")

    def handle_websocket_upgrade(self) -> None:
        self._give_up_place()  # WebSockets are counted by organization
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        self._in_body, self._body = True, 0
        self._began = self.loop.time()
        self._set_timer(self._guard.pace.seconds(0), self._check_pace)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._stop_timer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(_UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _await_head(self) -> None:
        self._in_head, self._head = True, 0
        self._set_timer(self._guard.header_seconds, self._end_head)

    def _set_timer(self, seconds: float, call: Any) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, call)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_head(self) -> None:
        if self._head:
            self._refuse(408, f"the head of the request took longer than {self._guard.header_seconds:g} s")
        else:
            self.transport.close()

    def _check_pace(self) -> None:
        left = self._began + self._guard.pace.seconds(self._body) - self.loop.time()
        if left > 0:
            self._set_timer(left + 0.5, self._check_pace)
            return
        self._refuse(
            408, f"the body of the request came more slowly than {self._guard.pace.rate} octets a second"
        )

    def _refuse(self, status: int, reason: str, headers: bytes = b"") -> None:
        """Answer, unless an answer has begun, and close the connection."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            text = reason.encode()
            self.transport.write(
                b"HTTP/1.1 %d %s\r\n%scontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%s"
                % (status, HTTPStatus(status).phrase.encode(), headers, len(text), text)
            )
        self.transport.close()

    def _give_up_place(self) -> None:
        self._stop_timer()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if self._place is not None:
            self._guard.leave(self._place)
            self._place = None
