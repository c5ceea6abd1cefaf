"""The loop of a worker process: frames in on stdin's socket, frames out (see ``gateway.mime.workers.pool``).

Frame: 4 octets of length (big endian) and the octets; the first octet of a request is its kind. The process ends
at end of file, so it never outlives the gateway, and by SIGALRM when one job takes too long and nobody is left to
kill it.
"""

from __future__ import annotations

import gc
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterator

from mailserver.allocator import give_back_at_once, trim

_LARGE = 1024 * 1024

Answer = Callable[[memoryview], Iterator[tuple[bytes, bytes]]]
"""A request to its answer's frames: each a mark (may be empty) and octets, sent as they come."""


def serve(answer: Answer, *, memory: int, deadline: float, confine: Callable[[], None] | None = None) -> None:
    """Serve until end of file, within ``memory`` octets of address space and ``deadline`` + 5 seconds a job.

    ``confine`` is called before the first request: what it gives up is gone for good.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_back_at_once()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C in a terminal is the parent's to handle
    stream = socket.socket(fileno=0)
    if confine is not None:
        confine()
    try:
        gc.freeze()  # the collector need not walk the modules again and again
        stream.sendall(b"!")
        while (header := _read(stream, 4)) is not None:
            request = _read(stream, struct.unpack(">I", header)[0])
            if request is None:
                break
            signal.setitimer(signal.ITIMER_REAL, deadline + 5)
            octets = b""
            for mark, octets in answer(memoryview(request)):
                _frame(stream, mark, octets)
            large = len(request) > _LARGE
            del request, octets  # they may be large, and the next request may be long in coming
            if large:
                trim()
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent went away


def _read(stream: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    view = memoryview(data)
    while len(view):
        got = stream.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return data


def _frame(stream: socket.socket, mark: bytes, octets: bytes) -> None:
    head = struct.pack(">I", len(mark) + len(octets)) + mark
    if len(octets) < 65536:
        stream.sendall(head + octets)
    else:
        stream.sendall(head)
        stream.sendall(octets)
