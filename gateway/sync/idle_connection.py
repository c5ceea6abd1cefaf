"""One IMAP connection in IDLE (RFC 2177), by aioimaplib.

aioimaplib does the login, SELECT and IDLE and nothing else here. It lets callers wait when the connection is gone,
ignores a BYE, and forgets what comes between DONE and the end of IDLE; so every await here is bounded
and ends at once with the connection, and the server's lines are seen as they arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar

from aioimaplib import IMAP4, Abort
from aioimaplib.aioimaplib import CONNECTED, IMAP4ClientProtocol

from mailserver.base import ImapLogin
from mailserver.own_address import source_for

T = TypeVar("T")

logging.getLogger("aioimaplib").setLevel(logging.ERROR)  # it logs whole mail at DEBUG

ANSWER = 10.0
"""Seconds the server has for an answer."""
RENEW = 40.0
"""Seconds of IDLE after which it is asked for anew: a server that does not answer that is gone."""
_LONGEST_LINE = 1 << 20

OnLine = Callable[[bytes], None]


class ConnectionRefused(Exception):
    """The server answers, and does not let this mailbox be watched: trying soon again is of no use."""


class IdleConnection:
    """Made for one login. ``on_line`` gets every untagged line once INBOX is open, without its asterisk."""

    def __init__(self, login: ImapLogin, on_line: OnLine) -> None:
        self._login, self._on_line = login, on_line
        self._gone = asyncio.Event()
        self._why = "the connection ended"
        self._selected = False
        end = login.endpoint
        if end.tls == "starttls":
            raise ConnectionRefused("the library that keeps IDLE cannot do STARTTLS: give the port with TLS")
        self._client = _Client(
            end.host,
            end.port,
            self._line,
            self._lost,
            _tls() if end.tls == "implicit" else None,
        )

    async def open(self) -> None:
        """Log in and open INBOX. Raises ConnectionRefused, ConnectionError, TimeoutError."""
        client, login = self._client, self._login
        await self._bounded(client.wait_hello_from_server())
        answer = await self._bounded(client.login(login.user, login.secret))
        if answer.result != "OK":
            raise _refusal("login", answer.lines)
        if not client.has_capability("IDLE"):
            raise ConnectionRefused("the server does not offer IDLE")
        answer = await self._bounded(client.select("INBOX"))
        if answer.result != "OK":
            raise _refusal("SELECT", answer.lines)
        self._selected = True

    async def idle(self, accepted: Callable[[], None]) -> None:
        """Stay in IDLE, asking for it anew from time to time, until the connection ends; never returns without an
        error. ``accepted`` is called whenever the server takes IDLE. Raises as ``open`` does."""
        client = self._client
        while True:
            try:
                ended = await self._bounded(client.idle_start(timeout=RENEW + 2 * ANSWER))
            except Abort as error:
                raise ConnectionRefused(f"IDLE was refused ({error})") from error
            accepted()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEW * random.uniform(0.8, 1.0)):  # noqa: S311 - not all at once
                    await self._until_gone(ended)
            client.idle_done()
            await self._bounded(ended)

    async def _until_gone(self, ended: asyncio.Future[Any]) -> None:
        """Wait for the end of the connection, or of an IDLE that the server ends by itself."""
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({gone, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        raise ConnectionError(self._why if self._gone.is_set() else "the server ended IDLE")

    async def _bounded(self, work: Awaitable[T]) -> T:
        """What ``work`` answers; ConnectionError at once when the connection ends, TimeoutError when it takes long."""
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({task, gone}, timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self._gone.is_set():
                raise ConnectionError(self._why)
            raise TimeoutError(f"no answer within {ANSWER:g} s")
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    def _line(self, line: bytes) -> None:
        if line[:4].upper().rstrip() == b"BYE":
            self._end(f"the server said {line.decode('ascii', 'replace')[:200]}")
        elif self._selected:
            self._on_line(line)

    def _lost(self, error: Exception | None) -> None:
        self._end(f"the connection was lost ({error})" if error else "the server closed the connection")

    def _end(self, why: str) -> None:
        if not self._gone.is_set():
            self._why = why
            self._gone.set()

    def close(self) -> None:
        """End the connection, and whatever of the library waits for it."""
        self._end("closed by us")
        self._client.abandon()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _refusal(command: str, lines: list[bytes]) -> Exception:
    text = b" ".join(bytes(line) for line in lines)[:200].decode("ascii", "replace")
    temporary = any(code in text.upper() for code in ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]"))
    message = f"{command} was refused: {text}"
    return ConnectionError(message) if temporary else ConnectionRefused(message)


class _Client(IMAP4):  # type: ignore[misc]
    def __init__(
        self,
        host: str,
        port: int,
        on_line: OnLine,
        on_lost: Callable[[Exception | None], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._on_line = on_line
        super().__init__(host, port, timeout=ANSWER, conn_lost_cb=on_lost, ssl_context=tls)

    def create_client(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        loop = loop or asyncio.get_running_loop()
        self.protocol = protocol = _Protocol(loop, conn_lost_cb, self._on_line)
        self._client_task = loop.create_task(
            loop.create_connection(lambda: protocol, host, port, ssl=ssl_context, local_addr=source_for(host))
        )

    def abandon(self) -> None:
        """Cancel what waits for the server, and drop the connection without another word."""
        for task in [*self.tasks, *self.protocol.tasks, self._client_task]:
            task.cancel()
        if self._idle_waiter is not None:
            self._idle_waiter.cancel()
        if self.protocol.transport is not None:
            self.protocol.transport.abort()


class _Protocol(IMAP4ClientProtocol):  # type: ignore[misc]
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        conn_lost_cb: Callable[[Exception | None], None] | None,
        on_line: OnLine,
    ) -> None:
        super().__init__(loop, conn_lost_cb)
        self._on_line = on_line

    def data_received(self, d: bytes) -> None:
        try:
            super().data_received(d)
        except Exception as error:  # a reply nobody asked for, or more lines at once than it can take
            self._on_line(b"BYE and what it said was not understood: " + str(error).encode())
            self.transport.abort()
            return
        while not self.idle_queue.empty():  # all of it was seen below
            self.idle_queue.get_nowait()
        if len(self.incomplete_line) > _LONGEST_LINE:
            self.transport.abort()

    def _handle_line(self, line: bytes, current_cmd: Any) -> Any:
        if self.state == CONNECTED and line and not line.upper().startswith((b"* OK", b"* PREAUTH")):
            self._on_line(b"BYE " + line)  # the library would wait for ever for another greeting
            return None
        return super()._handle_line(line, current_cmd)

    def _untagged_response(self, line: bytes) -> Any:
        self._on_line(line[2:])
        return super()._untagged_response(line)
