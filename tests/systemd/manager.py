"""The other end of systemd's datagram sockets, for tests."""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
from pathlib import Path


class Datagrams:
    """A datagram socket at ``path``: what systemd or journald would read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def take(self) -> bytes | None:
        """The next datagram, or what was in the memory file it carries; None when there is none yet."""
        try:
            data, ancillary, _, _ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return None
        for _, _, octets in ancillary:
            [descriptor] = array.array("i", octets)
            with open(descriptor, "rb") as file:
                file.seek(0)
                return file.read()
        return data

    async def until(self, wanted: str, timeout: float = 20.0) -> list[str]:
        """Lines up to and with the first that begins with ``wanted``."""
        found: list[str] = []
        async with asyncio.timeout(timeout):
            while True:
                data = self.take()
                if data is None:
                    await asyncio.sleep(0.005)
                    continue
                found.append(data.decode())
                if found[-1].startswith(wanted):
                    return found


def entry_of(data: bytes) -> dict[str, str]:
    """A journal entry's fields, read as JOURNAL_NATIVE_PROTOCOL says."""
    fields: dict[str, str] = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        fields[name.decode()] = value.decode()
        data = rest
    return fields


def short_directory(tmp_path: Path) -> Path:
    """``tmp_path`` by a path that fits into a socket's 108 octets."""
    return Path(os.path.relpath(tmp_path)) if len(str(tmp_path)) > 80 else tmp_path
