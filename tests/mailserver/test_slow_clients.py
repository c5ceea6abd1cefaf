"""SMTP clients that take their time: with their data, with logging in, or for a place they do not use."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from mailserver.base import Endpoint
from mailserver.embedded.settings import Limits
from mailserver.pace import Pace
from tests.support.servers import embedded_server

pytestmark = pytest.mark.anyio
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(end: Endpoint, *commands: bytes) -> Pair:
    """A connection after the greeting and the replies to ``commands``."""
    reader, writer = await asyncio.open_connection(end.host, end.port)
    await reader.readline()
    for one in commands:
        writer.write(one + b"\r\n")
        await reader.readline()
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What is said until the connection is closed."""
    async with asyncio.timeout(30):
        return await reader.read()


async def test_data_that_stops_is_given_up(tmp_path: Path) -> None:
    limits = Limits(pace=Pace(rate=1000, grace=0.3))
    async with embedded_server(tmp_path, limits=limits) as server:
        await server.add_domain("x.test")
        await server.add_mailbox("alice@x.test")
        steps = (b"HELO c.test", b"MAIL FROM:<>", b"RCPT TO:<alice@x.test>", b"DATA")
        reader, writer = await connected(server.access().smtp, *steps)
        writer.write(b"Subject: s\r\n\r\nand then nothing\r\n")
        assert await ended(reader) == b"421 4.4.2 the message comes too slowly\r\n"
        writer.close()
        assert server._mx is not None
        assert server._mx.inflight.octets == 0


async def test_who_does_not_log_in_is_not_kept(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, limits=Limits(login_seconds=0.3)) as server:
        reader, writer = await connected(server.access().submission, b"HELO c.test")
        await ended(reader)
        writer.close()


async def test_in_a_crowd_idle_sessions_make_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailserver.embedded.session.CROWDED_SECONDS", 0.3)
    limits = Limits(connections=4, newcomers=2, connections_per_address=10)
    async with embedded_server(tmp_path, limits=limits) as server:
        first, second = [await connected(server.access().smtp) for _ in range(2)]
        third = await asyncio.open_connection("127.0.0.1", server.access().smtp.port)
        assert (await third[0].readline()).startswith(b"421 4.7.0")
        for reader, writer in (first, second):
            await ended(reader)
            writer.close()
        third[1].close()
        _, writer = await connected(server.access().smtp, b"NOOP")
        writer.close()


def test_a_slow_line_has_time_for_a_large_message() -> None:
    pace = dataclasses.replace(Pace())
    assert pace.seconds(0) == 60
    # 34 MB of base64 at 64 kbit/s take 70 minutes
    assert pace.seconds(34_000_000) > 70 * 60
