"""The sockets that HTTP listens on: those that systemd hands over, else a TCP port, a Unix socket or both.

If systemd's ``postern.socket`` hands sockets over, ``http.host``, ``http.port`` and ``http.unix_socket`` are ignored.
"""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.service import activation
from gateway.settings import Http


@dataclass(frozen=True, slots=True)
class Listeners:
    """Open sockets, at least one. The server that takes them closes them."""

    sockets: list[socket.socket]

    @property
    def unix(self) -> bool:
        """Whether one of them is a Unix socket, which a reverse proxy connects to."""
        return any(one.family == socket.AF_UNIX for one in self.sockets)

    @property
    def url(self) -> str:
        """The URL for clients, without regard to a proxy in front: a listener does not know its name."""
        for one in self.sockets:
            if one.family != socket.AF_UNIX:
                return _url(*one.getsockname()[:2])
        return "http://localhost"

    @property
    def local_url(self) -> str:
        """The URL for programs on this machine: ``http://host:port``, or ``unix:PATH`` where there is no port."""
        for one in self.sockets:
            if one.family != socket.AF_UNIX:
                host, port = one.getsockname()[:2]
                everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
                return _url(everywhere.get(host, host), port)
        return f"unix:{Path(self.sockets[0].getsockname()).resolve()}"


@contextmanager
def open_listeners(http: Http, environ: MutableMapping[str, str] = os.environ) -> Iterator[Listeners]:
    """Open the listeners; at the end they are closed, and a Unix socket that we made is removed. Raises OSError."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in activation.take_listeners(environ)]
        if not sockets:
            if http.host:
                sockets.append(stack.enter_context(_tcp(http.host, http.port)))
            if http.unix_socket:
                sockets.append(stack.enter_context(_unix(Path(http.unix_socket), http)))
        if not sockets:
            raise OSError("nothing to listen on: set http.host, http.unix_socket or both")
        yield Listeners(sockets)


def _tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named because asyncio sets TCP_NODELAY only then: without it each answer waits for an ACK
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # a WebSocket peer that vanished or never reads must not hold its descriptor for ever (tcp(7), ms)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def _unix(path: Path, http: Http) -> Iterator[socket.socket]:
    """A Unix socket that at no instant is open to more users than ``http.unix_socket_mode`` says."""
    mode = int(http.unix_socket_mode, 8)
    group = grp.getgrnam(http.unix_socket_group).gr_gid if http.unix_socket_group else -1
    _make_room(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        before = os.umask(0o777)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        made = path.stat()
        os.chown(path, -1, group)
        os.chmod(path, mode)
        try:
            yield sock
        finally:
            if path.exists() and path.stat().st_ino == made.st_ino:  # else the next gateway's
                path.unlink()


def _make_room(path: Path) -> None:
    """Remove a socket that a crash left behind: no other kind of file, and no socket that a program answers on."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(17, "there is something else in the place of http.unix_socket", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass
    raise OSError(98, "another program answers on http.unix_socket", str(path))


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
