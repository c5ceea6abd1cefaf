"""The milter's listener: a Unix socket that Postfix alone may use, or a TCP port."""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import re
import socket
import stat
from pathlib import Path

from mailserver.base import MailServerError
from mailserver.listening import Listening, ListeningSocket, listen, listen_at
from mailserver.milter.connection import Connection
from mailserver.milter.mail import Filter
from mailserver.milter.protocol import ProtocolError

log = logging.getLogger(__name__)

_INET = re.compile(r"inet:\[?([^\[\]\s]+?)\]?:([0-9]{1,5})")
_CONNECTIONS = 500
_GROUP = "postfix"


class MilterService:
    """Answers MTAs at ``address``: ``unix:PATH`` or ``inet:HOST:PORT`` (0 takes any free one).

    Whoever can connect can have mail signed, so a Unix socket is opened to its group alone (``postfix`` where we
    may give it away), and a TCP port should be on loopback of a machine without other users.
    """

    def __init__(self, address: str, judge: Filter, *, largest: int) -> None:
        """``largest``: octets of a message that are looked at. Raises MailServerError for a bad address."""
        match = _INET.fullmatch(address)
        if match is None and not address.startswith("unix:/"):
            raise MailServerError(f"a milter's address is unix:/PATH or inet:HOST:PORT, not {address!r}")
        self._path = None if match else Path(address.removeprefix("unix:"))
        self._host, self._port = (match[1], int(match[2])) if match else ("", 0)
        self._filter = judge
        self._largest = largest
        self._large = asyncio.Semaphore(1)
        self._listening: Listening | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The TCP port; 0 with a Unix socket."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises OSError, MailServerError."""
        if self._path is None:
            self._listening = await listen(self._connection, self._host, self._port)
            self._port = self._listening.port
            return
        listener = await asyncio.to_thread(_bound, self._path)
        self._listening = await listen_at([listener], self._connection)

    async def stop(self) -> None:
        """Take no more conversations, end those that are open; the MTA treats their mail as its settings say."""
        if self._listening is None:
            return
        await self._listening.refuse()
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=5)
        await self._listening.close()
        self._listening = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _connection(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._on_connect)

    async def _on_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= _CONNECTIONS:
            log.warning("more than %d connections: one is refused", _CONNECTIONS)
            writer.close()
            return
        self._open.add(task)
        try:
            await Connection(reader, writer, self._filter, self._large, self._largest).run()
        except (ProtocolError, TimeoutError) as error:
            log.warning("conversation ended: %s", error or "nothing came for too long")
        except (OSError, asyncio.IncompleteReadError):
            pass  # the MTA went away: it says so in its own log
        except asyncio.CancelledError:
            pass  # by stop, which waits for us
        except Exception:
            log.exception("conversation ended by a defect")
        finally:
            self._open.discard(task)
            writer.close()


def _bound(path: Path) -> ListeningSocket:
    """A socket listening nowhere yet, that the group of its file may connect to. Blocks."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()  # left by a run that was killed
    except FileNotFoundError:
        pass
    listener = ListeningSocket(socket.AF_UNIX)
    try:
        mask = os.umask(0o117)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        _give(path)
    except BaseException:
        listener.close()
        raise
    return listener


def _give(path: Path) -> None:
    """Open the socket to Postfix. Nothing is to be done where the process, or a setgid directory, has its group
    already; in a user namespace (systemd's PrivateUsers=) that is the only way."""
    try:
        group = grp.getgrnam(_GROUP).gr_gid
    except KeyError:
        return
    if path.stat().st_gid == group or path.parent.stat().st_mode & stat.S_ISGID:
        return
    try:
        os.chown(path, -1, group)
    except OSError:
        log.warning("%s is not open to Postfix: run with Group=%s (systemd)", path, _GROUP)
