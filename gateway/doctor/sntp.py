"""Asking a time server how far the clock is off (SNTP, RFC 4330)."""

from __future__ import annotations

import asyncio
import struct
import time

_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


async def offset(host: str, port: int, seconds: float = 5.0) -> float:
    """How many seconds the clock must be put forward. Raises OSError, TimeoutError, ValueError (no time server)."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[tuple[bytes, float]] = loop.create_future()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            if not answered.done():
                answered.set_result((data, time.time()))

        def error_received(self, error: Exception) -> None:
            if not answered.done():
                answered.set_exception(error)

    async with asyncio.timeout(seconds):
        transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=(host, port))
        try:
            sent = time.time()
            transport.sendto(b"\x23" + b"\0" * 39 + _stamp(sent))  # version 4, client
            data, received = await answered
        finally:
            transport.close()
    if len(data) < 48 or data[0] & 7 != 4 or not 0 < data[1] < 16 or data[24:32] != _stamp(sent):
        raise ValueError("the answer is not a time server's")
    arrived, left = _time(data[32:40]), _time(data[40:48])
    return ((arrived - sent) + (left - received)) / 2


def _stamp(at: float) -> bytes:
    whole = int(at)
    return struct.pack("!II", (whole + _EPOCH) % 2**32, int((at - whole) * 2**32))


def _time(stamp: bytes) -> float:
    whole, part = struct.unpack("!II", stamp)
    return float((whole - _EPOCH) % 2**32 + part / 2**32)
