"""A parser process, started by ``mime.workers.parser_pool`` only; ``mime.workers.jobs`` says what the frames mean."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import msgspec

from gateway.mime.limits import Limits
from gateway.mime.parse import parse
from gateway.mime.workers.jobs import COMPOSE, DONE, REFUSED, Order, Refusal, carry_out
from gateway.mime.workers.serve import serve


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a worker is started with: JSON in its only argument. Memory in octets, deadline in seconds of wall clock."""

    memory: int
    deadline: float
    limits: Limits
    authserv_id: str | None


def main() -> None:
    """Serve until end of file."""
    settings = msgspec.json.decode(sys.argv[1], type=WorkerSettings)
    encoder = msgspec.msgpack.Encoder()
    orders = msgspec.msgpack.Decoder(Order)

    def answer(request: memoryview) -> Iterator[tuple[bytes, bytes]]:
        if request[:1] == COMPOSE:
            made = carry_out(orders.decode(request[1:]))
            if isinstance(made, Refusal):
                yield REFUSED, encoder.encode(made)
                return
            yield DONE, made
            raw = made
        else:
            raw = bytes(request[1:])
        yield b"", encoder.encode(parse(raw, settings.limits, settings.authserv_id))

    serve(answer, memory=settings.memory, deadline=settings.deadline)


if __name__ == "__main__":
    main()
