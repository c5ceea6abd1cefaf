"""Listeners that were opened before the gateway started, by ``postern.socket``: sd_listen_fds(3).

systemd keeps them open, so connections that come while the gateway restarts wait in the kernel and are not refused.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

FIRST = 3


def take_listeners(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets meant for this process; [] when it was started without.

    The variables are taken out of ``environ`` and the descriptors are closed on exec: neither is for our children.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for descriptor in range(FIRST, FIRST + int(count)):
        os.set_inheritable(descriptor, False)
        found.append(socket.socket(fileno=descriptor))
    return found
