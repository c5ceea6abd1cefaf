"""A parser process: frames in on stdin's socket, frames out. Started by ``gateway.mime.worker`` only.

Frame: 4 octets of length (big endian) and the octets. In: the raw message. Out: msgpack of ParsedMessage. The
process ends at end of file, so it never outlives the gateway, and by SIGALRM when one message takes too long
and nobody is left to kill it.
"""

from __future__ import annotations

import resource
import signal
import socket
import struct
import sys

import msgspec

from gateway.mime.limits import Limits
from gateway.mime.parse import parse


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a worker is started with: JSON in its only argument. Memory in octets, deadline in seconds."""

    memory: int
    deadline: float
    limits: Limits
    authserv_id: str | None


def _read(stream: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    view = memoryview(data)
    while len(view):
        got = stream.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return data


def main() -> None:
    """Parse until end of file."""
    settings = msgspec.json.decode(sys.argv[1], type=WorkerSettings)
    resource.setrlimit(resource.RLIMIT_AS, (settings.memory, settings.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C in a terminal is the parent's to handle
    stream = socket.socket(fileno=0)
    encoder = msgspec.msgpack.Encoder()
    try:
        while (header := _read(stream, 4)) is not None:
            raw = _read(stream, struct.unpack(">I", header)[0])
            if raw is None:
                break
            signal.setitimer(signal.ITIMER_REAL, settings.deadline + 5)
            answer = encoder.encode(parse(bytes(raw), settings.limits, settings.authserv_id))
            signal.setitimer(signal.ITIMER_REAL, 0)
            stream.sendall(struct.pack(">I", len(answer)) + answer)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent went away


if __name__ == "__main__":
    main()
