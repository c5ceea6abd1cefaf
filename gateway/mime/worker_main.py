"""A parser process: frames in on stdin's socket, frames out. Started by ``gateway.mime.worker`` only.

Frame: 4 octets of length (big endian) and the octets; ``gateway.mime.jobs`` says what they mean. The process
ends at end of file, so it never outlives the gateway, and by SIGALRM when one message takes too long and nobody
is left to kill it.
"""

from __future__ import annotations

import gc
import resource
import signal
import socket
import struct
import sys

import msgspec

from gateway.mime.jobs import COMPOSE, DONE, REFUSED, Order, Refusal, carry_out
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


def _frame(stream: socket.socket, mark: bytes, octets: bytes) -> None:
    head = struct.pack(">I", len(mark) + len(octets)) + mark
    if len(octets) < 65536:
        stream.sendall(head + octets)
    else:
        stream.sendall(head)
        stream.sendall(octets)


def main() -> None:
    """Serve until end of file."""
    settings = msgspec.json.decode(sys.argv[1], type=WorkerSettings)
    resource.setrlimit(resource.RLIMIT_AS, (settings.memory, settings.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C in a terminal is the parent's to handle
    stream = socket.socket(fileno=0)
    encoder = msgspec.msgpack.Encoder()
    orders = msgspec.msgpack.Decoder(Order)
    try:
        gc.freeze()  # the collector need not walk the modules again and again
        stream.sendall(b"!")
        while (header := _read(stream, 4)) is not None:
            request = _read(stream, struct.unpack(">I", header)[0])
            if request is None:
                break
            signal.setitimer(signal.ITIMER_REAL, settings.deadline + 5)
            payload = memoryview(request)[1:]
            raw: bytes | Refusal
            if request[:1] != COMPOSE:
                raw = bytes(payload)
            else:
                raw = carry_out(orders.decode(payload))
                if isinstance(raw, Refusal):
                    _frame(stream, REFUSED, encoder.encode(raw))
                else:
                    _frame(stream, DONE, raw)
            if not isinstance(raw, Refusal):
                _frame(stream, b"", encoder.encode(parse(raw, settings.limits, settings.authserv_id)))
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent went away


if __name__ == "__main__":
    main()
