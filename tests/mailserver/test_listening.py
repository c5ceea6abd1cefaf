"""Closing a service ends every connection it took: also one that never said a word, or never shook hands."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mailserver.embedded.session import Listener
from mailserver.embedded.settings import Limits
from mailserver.listening import Listening, ListeningSocket, listen, listen_at
from mailserver.milter.service import MilterService
from tests.doctor.test_ports_and_tls import context_of
from tests.vps.certificates import certificate_for

pytestmark = pytest.mark.anyio


def caller(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


async def hung_up_on(one: socket.socket) -> bool:
    """Whether the peer ended the connection (5 seconds are waited)."""
    try:
        return await asyncio.to_thread(one.recv, 1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    finally:
        one.close()


@pytest.mark.parametrize("known", [True, False], ids=["after a moment", "at once"])
async def test_a_handshake_that_never_comes_does_not_hold_the_listener(tmp_path: Path, known: bool) -> None:
    tls = context_of(certificate_for("mail.x.test"), tmp_path)
    listener = Listener(object(), hostname="mail.x.test", limits=Limits(), implicit=tls)
    await listener.start("127.0.0.1", 0)
    silent = caller(listener.port)
    if known:
        await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        await listener.stop()
        assert await hung_up_on(silent)


async def test_a_conversation_taken_a_moment_ago_ends_with_the_milter() -> None:
    service = MilterService("inet:127.0.0.1:0", object(), largest=1000)  # type: ignore[arg-type]
    await service.start()
    silent = caller(service.port)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await service.stop()
        assert await hung_up_on(silent)


async def test_connections_go_on_while_no_more_are_taken() -> None:
    lost = asyncio.Event()

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set()

    listening = await listen(Echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(b"one")
    assert await reader.readexactly(3) == b"one"
    await listening.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(b"two")
    assert await reader.readexactly(3) == b"two"
    await listening.close()
    assert lost.is_set()
    assert await reader.read() == b""
    writer.close()


async def test_a_unix_socket_is_closed_alike(tmp_path: Path) -> None:
    there = ListeningSocket(socket.AF_UNIX)
    there.bind(str(tmp_path / "here"))
    listening = await listen_at([there], asyncio.Protocol)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(5)
        silent.connect(str(tmp_path / "here"))
        await asyncio.sleep(0)
        await listening.close()
        assert await hung_up_on(silent)


async def test_every_address_of_the_machine_has_the_same_port() -> None:
    listening: Listening = await listen(asyncio.Protocol, "*", 0)
    try:
        for address in ("127.0.0.1", "::1") if socket.has_ipv6 else ("127.0.0.1",):
            _, writer = await asyncio.open_connection(address, listening.port)
            writer.close()
    finally:
        await listening.close()


async def test_a_port_that_is_taken_is_told_and_nothing_stays_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r"(?i)already in use"):
        await listen(asyncio.Protocol, "127.0.0.1", taken.getsockname()[1])


_WITHOUT_IPV6 = """
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$0" -c '
import asyncio
from mailserver.listening import listen
async def main():
    listening = await listen(asyncio.Protocol, "*", 0)
    await listening.close()
asyncio.run(main())
'
"""


@pytest.mark.root
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="a network of its own needs root"
)
async def test_a_machine_whose_ipv6_is_turned_off_is_listened_at() -> None:
    ran = await asyncio.to_thread(
        subprocess.run,
        ["unshare", "--net", "sh", "-c", _WITHOUT_IPV6, sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
