"""A scripted DNS server, an HTTP sink that counts connections, and a recorder of every TCP connect."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from gateway.net.address_rules import AddressRules
from gateway.net.policy import FetchPolicy
from gateway.net.resolver import Resolver
from mailserver.listening import listen

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Zone(asyncio.DatagramProtocol):
    """Answers from ``records`` {(name, type): text, list of texts, rcode, or a list of such lists in turn}."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Any] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.ttl = 60
        self.delay = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip("."), question.rdtype.name
        self.asked.append((name, kind))
        if name in self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        known = {n for n, _ in self.records}
        value = self.records.get((name, kind))
        if callable(value):
            value = value()
        if isinstance(value, dns.rcode.Rcode):
            answer.set_rcode(value)
        elif value:
            answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *value))
        elif name not in known:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        wire = answer.to_wire()
        asyncio.get_running_loop().call_later(self.delay, self.transport.sendto, wire, addr)

    def resolver(self, **options: Any) -> Resolver:
        options.setdefault("lifetime", 2.0)
        options.setdefault("hosts_file", None)
        return Resolver(["127.0.0.1"], port=self.port, **options)

    def policy(self, addresses: AddressRules, *, allow_http: bool = True, **options: Any) -> FetchPolicy:
        return FetchPolicy(addresses, self.resolver(**options), allow_http)


@pytest.fixture
async def zone(anyio_backend: str) -> AsyncIterator[Zone]:
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(Zone, local_addr=("127.0.0.1", 0))
    yield made
    transport.close()
    await asyncio.sleep(0)


class Sink:
    """A TCP listener on loopback, both families, that counts what reaches it."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.written = 0


@asynccontextmanager
async def listening(handler: Callable[[Sink], Handler], tls: Any = None) -> AsyncIterator[Sink]:
    sink = Sink()
    inner = handler(sink)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sink.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await inner(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    def conversation() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)

    both = [await listen(conversation, "127.0.0.1", 0, tls=tls)]
    sink.port = both[0].port
    if socket.has_ipv6:
        both.append(await listen(conversation, "::1", sink.port, tls=tls))
    try:
        yield sink
    finally:
        for one in both:
            await one.refuse()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        for one in both:
            await one.close()


async def read_request(reader: asyncio.StreamReader, sink: Sink) -> bytes:
    """Read one request with a Content-Length; return its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = await reader.readexactly(length)
    sink.requests.append(head + body)
    return body


def answering(reply: bytes) -> Callable[[Sink], Handler]:
    """A handler that sends ``reply`` to every request and keeps the connection."""

    def make(sink: Sink) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await read_request(reader, sink)
                writer.write(reply)
                await writer.drain()

        return handle

    return make


_connects: list[list[Any]] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _connects and event == "socket.connect" and args[0].type == socket.SOCK_STREAM:
        _connects[-1].append(args[1])


sys.addaudithook(_audit)


@pytest.fixture
def connects() -> Iterator[list[Any]]:
    """Every address that this process tries to connect a TCP socket to, seen by the interpreter itself."""
    seen: list[Any] = []
    _connects.append(seen)
    yield seen
    _connects.remove(seen)
