"""Whose a listening TCP port on this machine is, by proc(5): before a password goes to whoever listens there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


class ListeningPort(NamedTuple):
    """A socket that listens: the user who made it, and its inode."""

    uid: int
    inode: int


def listening(port: int) -> list[ListeningPort]:
    """The sockets that listen at a port, in this network namespace. Blocks."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                found.append(ListeningPort(int(words[7]), int(words[9])))
    return found


def listens(pid: int, port: int) -> bool | None:
    """Whether process ``pid`` holds the socket that listens at ``port``; None where the kernel does not say (the
    process is another user's). Blocks."""
    wanted = {one.inode for one in listening(port)}
    try:
        links = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
    except FileNotFoundError:
        return False
    except OSError:
        return None
    held = {int(match[1]) for link in links if (match := _SOCKET.fullmatch(link))}
    return bool(wanted & held)
