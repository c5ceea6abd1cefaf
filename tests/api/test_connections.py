"""HTTP connections that bring a request slowly, or not at all, or do not read its answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.app.http_protocol import MOST_HEAD, Guard
from gateway.app.http_server import HttpServer
from mailserver.pace import Pace

pytestmark = pytest.mark.anyio
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        octets = len(await Request(scope, receive).body())
    except Exception:  # the client left
        return
    await PlainTextResponse(f"{octets} octets")(scope, receive, send)


async def nothing() -> None:
    return


@asynccontextmanager
async def server(guard: Guard) -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    began = asyncio.Event()

    async def ready() -> None:
        began.set()

    one = HttpServer(app, ready, nothing, guard)
    task = asyncio.create_task(one.serve(sockets=[listening]))
    try:
        await began.wait()
        yield listening.getsockname()[1]
    finally:
        one.should_exit = True
        await task


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Pair]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def said(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the connection is closed."""
    async with asyncio.timeout(30):
        return await reader.read()


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with server(Guard(100, 0.2, Pace())) as port, connected(port) as (reader, _):
        assert await said(reader) == b""


async def test_a_half_sent_head_is_given_up() -> None:
    async with server(Guard(100, 0.2, Pace())) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert (await said(reader)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_the_second_head_of_a_connection_has_a_deadline_too() -> None:
    async with server(Guard(100, 0.3, Pace())) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"0 octets")
        writer.write(b"GET / HT")
        assert (await said(reader)).startswith(b"HTTP/1.1 408 ")


async def test_empty_lines_do_not_hold_a_connection() -> None:
    async with server(Guard(100, 0.3, Pace())) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"0 octets")
        writer.write(b"\r\n")
        await said(reader)


async def test_a_body_that_stops_is_given_up() -> None:
    guard = Guard(100, 30, Pace(rate=1000, grace=0.2))
    async with server(guard) as port, connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert (await said(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_slow_body_that_goes_on_is_taken() -> None:
    guard = Guard(100, 30, Pace(rate=10, grace=1.0))
    async with server(guard) as port, connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\nConnection: close\r\n\r\n")
        for _ in range(30):
            writer.write(b"x" * 10)
            await asyncio.sleep(0.05)
        assert b"300 octets" in await said(reader)


async def test_a_head_without_end_is_refused() -> None:
    async with server(Guard(100, 30, Pace())) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        writer.write(b"X-Long: " + b"y" * MOST_HEAD)
        assert (await said(reader)).startswith(b"HTTP/1.1 431 ")


async def test_more_connections_than_there_may_be_are_refused() -> None:
    guard = Guard(4, 30, Pace())
    async with server(guard) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        async with connected(port) as (reader, _):
            answer = await said(reader)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"retry-after: 10" in answer
        held.pop()[1].close()
        await asyncio.sleep(0.2)
        async with connected(port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b" 200 OK" in await said(reader)
        for _, writer in held:
            writer.close()


def test_one_network_has_a_quarter_of_the_connections() -> None:
    guard = Guard(40, 30, Pace(), proxies=["192.0.2.1"])
    assert sum(guard.enter(f"2001:db8::{n:x}") is not None for n in range(1, 30)) == 10
    assert sum(guard.enter("192.0.2.1") is not None for n in range(20)) == 20
