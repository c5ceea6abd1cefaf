"""Listening sockets that know each connection they took, so that closing them ends every one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakSet

_STEP = 0.005


class ListeningSocket(socket.socket):
    """A listening socket that remembers the connections taken from it while they are open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.taken: WeakSet[socket.socket] = WeakSet()
        self.refuses = False

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refuses:
            raise BlockingIOError  # as if nobody were there
        connection, address = super().accept()
        self.taken.add(connection)
        return connection, address


class Listening:
    """Connections taken at one service's sockets. Made by :func:`listen` and :func:`listen_at`.

    asyncio's own server knows a connection from the moment its protocol does, with TLS after the handshake. One
    that never shakes hands cannot be ended by it: ``wait_closed`` waits for it as long as it pleases (Python 3.12
    and later), or the event loop ends with it open (3.11).
    """

    def __init__(self, sockets: Sequence[ListeningSocket], servers: Sequence[asyncio.Server]) -> None:
        self._sockets, self._servers = sockets, servers
        self.port = int(sockets[0].getsockname()[1]) if sockets[0].family != socket.AF_UNIX else 0

    async def refuse(self) -> None:
        """Take no more connections; those that are open go on."""
        for one in self._sockets:
            one.refuses = True
        await asyncio.sleep(0)  # one just taken gets its transport, which a closed server would not give it
        for server in self._servers:
            server.close()

    async def close(self, seconds: float = 2.0) -> None:
        """Take no more connections, hang up on those that are open, and wait until their protocols let go."""
        await self.refuse()
        for one in self._open():
            with contextlib.suppress(OSError):  # the peer was faster
                one.shutdown(socket.SHUT_RDWR)
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while self._open() and clock() < deadline:  # noqa: ASYNC110 - a socket has no event for it
            await asyncio.sleep(_STEP)

    def _open(self) -> list[socket.socket]:
        return [one for each in self._sockets for one in each.taken if one.fileno() != -1]


async def listen(
    make: Callable[[], asyncio.BaseProtocol],
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    backlog: int = 100,
    share: bool = False,
) -> Listening:
    """Serve at every address of ``host`` (``*``: of this machine), with one port for all (0: any free one).

    ``tls`` begins with the connection; with ``share`` other processes may listen there too. Raises OSError.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[ListeningSocket] = []
    try:
        for family, _, _, _, address in found:
            if sockets and not port:
                port = sockets[0].getsockname()[1]
            try:
                bound = socket.create_server(
                    (address[0], port, *address[2:]), family=family, backlog=backlog, reuse_port=share
                )
            except OSError as error:
                if host == "*" and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue  # a machine without IPv6, or without IPv4
                raise
            sockets.append(ListeningSocket(fileno=bound.detach()))
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"there is no address to listen on at {host}")
        return await listen_at(sockets, make, tls=tls, backlog=backlog)
    except BaseException:
        for one in sockets:
            one.close()
        raise


async def listen_at(
    sockets: Sequence[ListeningSocket],
    make: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None = None,
    backlog: int = 100,
) -> Listening:
    """Serve at sockets that are bound, TCP or Unix; they are ours from then on."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(make, sock=one, backlog=backlog, ssl=tls) for one in sockets]
    return Listening(sockets, servers)
