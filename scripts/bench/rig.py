"""What the benchmarks share: a fresh gateway or a bare mail server in a temporary directory, a webhook endpoint
and a mail sink in processes of their own, senders, and tables of figures.

Times are ``time.monotonic()``, which all processes of one machine share.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import re
import smtplib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mailserver.embedded import EmbeddedServer, EmbeddedSettings  # noqa: E402
from mailserver.postfix_dovecot import PostfixServer, PostfixSettings  # noqa: E402
from tests.support.gateway_process import GatewayProcess, Server, start_gateway  # noqa: E402
from tests.support.servers import data_directory  # noqa: E402

BODY = ("A line of ordinary text that somebody may have written to an agent.\r\n" * 60)[:3600]
"""With its header a mail of about 4 KB."""
PASSWORD = "correct horse battery"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(what: str, value: str, note: str = "") -> None:
    """One line of the table."""
    print(f"{what:<62} {value:>16}  {note}", flush=True)


def milliseconds(values: Sequence[float]) -> str:
    """``p50 / p99`` of seconds, in ms."""
    return f"{percentile(values, 0.5) * 1000:.1f} / {percentile(values, 0.99) * 1000:.1f}"


@contextmanager
def gateway(server: Server = "embedded", **settings: Any) -> Iterator[GatewayProcess]:
    """A fresh gateway, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder, data_directory(Path(folder)) as data:
        settings = {"log__level": "warning", **settings}
        running = start_gateway(data, server, **settings)
        try:
            yield running
        finally:
            if running.process is not None and running.process.poll() is None:
                running.stop()


@asynccontextmanager
async def bare(
    server: Server, inboxes: Sequence[str], **settings: Any
) -> AsyncIterator[EmbeddedServer | PostfixServer]:
    """The mail server alone, with mailboxes (``PASSWORD`` opens each) but no gateway and no push."""

    async def nothing(_: Any) -> str:
        return ""

    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder, data_directory(Path(folder)) as data:
        settings |= {"data_dir": data, "hostname": "mail.postern.test", "push": False}
        made: EmbeddedServer | PostfixServer
        if server == "postfix_dovecot":
            made = PostfixServer(PostfixSettings(**settings))
        else:
            made = EmbeddedServer(EmbeddedSettings(**settings))
        await made.start(lambda hint: None, nothing)
        try:
            await made.add_domain("postern.test")
            for address in inboxes:
                await made.add_mailbox(address, PASSWORD)
            yield made
        finally:
            await made.stop()


class Far:
    """A sink in a process of its own. ``times`` answers when each key came first, and how often any came."""

    def __init__(self, target: Callable[[Connection], None]) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=target, args=(theirs,), daemon=True
        )
        self._process.start()
        theirs.close()  # so that a sink that dies is an EOFError here
        self.port: int = self._pipe.recv()

    def times(self) -> dict[str, list[float]]:
        self._pipe.send("times")
        found: dict[str, list[float]] = self._pipe.recv()
        return found

    def count(self) -> int:
        self._pipe.send("count")
        found: int = self._pipe.recv()
        return found

    def wait(self, count: int, timeout: float = 120.0) -> dict[str, list[float]]:
        """Wait until ``count`` different keys came."""
        end = time.monotonic() + timeout
        while self.count() < count:
            if time.monotonic() > end:
                raise SystemExit(f"only {self.count()} of {count} came within {timeout:g} s")
            time.sleep(0.02)
        return self.times()

    def close(self) -> None:
        self._process.terminate()
        self._process.join()


def webhook_sink(pipe: Connection) -> None:
    """Target of :class:`Far`: an HTTP endpoint; keys are the subjects of the messages."""
    seen: dict[str, list[float]] = {}
    subject = re.compile(rb'"subject":"([^"]*)"')

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.held = transport, b""

        def data_received(self, data: bytes) -> None:
            self.held += data
            while (end := self.held.find(b"\r\n\r\n")) >= 0:
                found = re.search(rb"content-length: *(\d+)", self.held[:end], re.I)
                whole = end + 4 + (int(found[1]) if found else 0)
                if len(self.held) < whole:
                    return
                body, self.held = self.held[end + 4 : whole], self.held[whole:]
                named = subject.search(body)
                seen.setdefault(named[1].decode() if named else "?", []).append(time.monotonic())
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    asyncio.run(_sink(pipe, seen, Protocol))


def mail_sink(pipe: Connection) -> None:
    """Target of :class:`Far`: an SMTP server; keys are the subjects."""
    seen: dict[str, list[float]] = {}
    subject = re.compile(rb"^Subject: *(.*?)\r?$", re.M | re.I)

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.held, self.in_data = transport, b"", False
            transport.write(b"220 sink.test ESMTP\r\n")

        def data_received(self, data: bytes) -> None:
            self.held += data
            answers = []
            while True:
                mark = b"\r\n.\r\n" if self.in_data else b"\r\n"
                end = self.held.find(mark)
                if end < 0:
                    break
                part, self.held = self.held[:end], self.held[end + len(mark) :]
                if self.in_data:
                    self.in_data = False
                    named = subject.search(part)
                    seen.setdefault(named[1].decode() if named else "?", []).append(time.monotonic())
                    answers.append(b"250 2.0.0 taken\r\n")
                    continue
                verb = part[:4].upper()
                if verb == b"EHLO":
                    answers.append(
                        b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE\r\n"
                    )
                elif verb == b"DATA":
                    self.in_data = True
                    answers.append(b"354 go on\r\n")
                elif verb == b"QUIT":
                    answers.append(b"221 bye\r\n")
                else:
                    answers.append(b"250 ok\r\n")
            if answers:
                self.transport.write(b"".join(answers))

    asyncio.run(_sink(pipe, seen, Protocol))


async def _sink(
    pipe: Connection, seen: dict[str, list[float]], protocol: Callable[[], asyncio.Protocol]
) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=256)
    pipe.send(server.sockets[0].getsockname()[1])
    asked: asyncio.Queue[str] = asyncio.Queue()

    def hear() -> None:
        try:
            asked.put_nowait(pipe.recv())
        except EOFError:  # whoever measures is gone
            loop.remove_reader(pipe.fileno())
            asked.put_nowait("end")

    loop.add_reader(pipe.fileno(), hear)
    while (question := await asked.get()) != "end":
        pipe.send(len(seen) if question == "count" else seen)


def mail(to: str, subject: str) -> bytes:
    """A 4 KB mail."""
    return (
        f"From: Ann <ann@abroad.test>\r\nTo: {to}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{os.getpid()}.{subject}@abroad.test>\r\nDate: Sat, 21 Nov 2026 05:00:00 +0000\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{BODY}\r\n"
    ).encode()


class Line:
    """One SMTP or LMTP connection that sends as fast as the server answers; ``login``: an inbox that submits."""

    def __init__(self, port: int | str, lmtp: bool = False, login: str | None = None) -> None:
        if isinstance(port, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(port)
        else:
            self._socket = socket.create_connection(("127.0.0.1", port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._reply(b"220")
        self._ask(b"LHLO abroad.test\r\n" if lmtp else b"EHLO abroad.test\r\n", b"250")
        self._sender = (login or "ann@abroad.test").encode()
        if login:
            plain = base64.b64encode(f"\0{login}\0{PASSWORD}".encode())
            self._ask(b"AUTH PLAIN " + plain + b"\r\n", b"235")

    def send(self, to: str, raw: bytes) -> None:
        """Hand over one mail; returns with its 250."""
        self._ask(b"MAIL FROM:<" + self._sender + b">\r\n", b"250")
        self._ask(b"RCPT TO:<" + to.encode() + b">\r\n", b"250")
        self._ask(b"DATA\r\n", b"354")
        self._ask(raw + b".\r\n", b"250")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _ask(self, data: bytes, wanted: bytes) -> None:
        self._socket.sendall(data)
        self._reply(wanted)

    def _reply(self, wanted: bytes) -> None:
        while True:
            line = self._file.readline()
            if line[3:4] != b"-":
                break
        if not line.startswith(wanted):
            raise smtplib.SMTPException(f"{line!r}, not {wanted!r}")


def flood(
    port: int | str,
    recipients: Sequence[str],
    count: int,
    prefix: str,
    lmtp: bool = False,
    login: str | None = None,
) -> float:
    """Send ``count`` mails over 10 connections; answers when it began."""
    todo = iter(range(count))
    lock = threading.Lock()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            line = Line(port, lmtp, login)
            while True:
                with lock:
                    number = next(todo, None)
                if number is None:
                    break
                to = recipients[number % len(recipients)]
                line.send(to, mail(to, f"{prefix}-{number}"))
            line.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(10)]
    started = time.monotonic()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if errors:
        raise errors[0]
    return started
