"""A TCP proxy in front of the real IMAP server: it swallows what certain mailboxes say and hear, resets connections,
or answers IDLE itself in ways a server may.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mailserver.base import Endpoint

_LOGIN = re.compile(rb'LOGIN "?([^" *]+)', re.IGNORECASE)
_IDLE = re.compile(rb"^(\S+) IDLE\r\n", re.IGNORECASE)

OnIdle = Callable[["Connection", bytes], Awaitable[bool]]
"""Called with an IDLE command's tag before the server gets it; True: it was dealt with."""


@dataclass(eq=False)
class Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    user: str = ""
    idles: int = 0
    deaf: bool = False
    """Whether the server gets nothing more."""

    def say(self, line: bytes) -> None:
        """Say something to the client in the server's name."""
        self.client.write(line + b"\r\n")

    def reset(self) -> None:
        """End it with a TCP reset, both ways."""
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            if sock is not None and not writer.transport.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()


@dataclass(eq=False)
class ImapProxy:
    """``swallowed``: mailboxes whose connections are neither answered nor closed, from the LOGIN on or, for an open
    one, from now on."""

    port: int = 0
    swallowed: set[str] = field(default_factory=set)
    refused: bool = False
    """Whether new connections are reset at once."""
    on_idle: OnIdle | None = None
    connections: list[Connection] = field(default_factory=list)
    made: int = 0
    """Connections accepted so far."""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    def reset_all(self) -> None:
        """Reset every open connection."""
        for one in list(self.connections):
            one.reset()

    def idling(self, user: str) -> list[Connection]:
        """The open connections on which IDLE was asked for."""
        return [one for one in self.connections if one.user == user and one.idles]


@asynccontextmanager
async def imap_proxy(server: Endpoint) -> AsyncIterator[ImapProxy]:
    """A proxy on a free port in front of ``server``."""
    proxy = ImapProxy()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.made += 1
        there, out = await asyncio.open_connection(server.host, server.port)
        one = Connection(writer, out)
        proxy.connections.append(one)
        if proxy.refused:
            one.reset()

        async def up() -> None:
            while line := await reader.readline():
                if found := _LOGIN.search(line):
                    one.user = found[1].decode()
                while one.user in proxy.swallowed:
                    await asyncio.sleep(0.02)
                    if reader.at_eof():
                        return
                if found := _IDLE.match(line):
                    one.idles += 1
                    if proxy.on_idle is not None and await proxy.on_idle(one, found[1]):
                        continue
                if one.deaf:
                    continue
                out.write(line)
                await out.drain()

        async def down() -> None:
            while data := await there.read(65536):
                while one.user in proxy.swallowed:  # noqa: ASYNC110 - whoever changes the set tells nobody
                    await asyncio.sleep(0.02)
                writer.write(data)
                await writer.drain()

        ways = [asyncio.create_task(up()), asyncio.create_task(down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            proxy.connections.remove(one)
            for each in (writer, out):
                each.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 26)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        proxy.swallowed.clear()
        proxy.reset_all()
        await asyncio.sleep(0.05)
