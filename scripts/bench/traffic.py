"""Traffic for the benchmarks: a lean SMTP client, an SMTP sink and a webhook sink, all in one event loop."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

TOKEN = re.compile(rb"bench-[0-9a-z]+-[0-9]+x")


def token(run: str, number: int) -> str:
    """What names one mail of one run; stands in its subject."""
    return f"bench-{run}-{number}x"


def mail(name: str, recipient: str, size: int = 4096) -> bytes:
    """A plain mail of about ``size`` octets."""
    head = (
        f"From: Load <load@sender.example>\r\nTo: <{recipient}>\r\nSubject: {name}\r\n"
        f"Message-ID: <{name}@sender.example>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    line = b"The quick brown fox jumps over the lazy dog, and writes about it.\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


class SmtpClient:
    """One connection, one mail after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int, login: tuple[str, str] | None = None) -> SmtpClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        made = cls(reader, writer)
        await made._reply(220)
        await made._say(b"EHLO load.example", 250)
        if login:
            plain = base64.b64encode(f"\0{login[0]}\0{login[1]}".encode())
            await made._say(b"AUTH PLAIN " + plain, 235)
        return made

    async def send(self, recipient: str, data: bytes, sender: str = "load@sender.example") -> float:
        """Send one mail; answers the monotonic time of the final 250."""
        await self._say(f"MAIL FROM:<{sender}>".encode(), 250)
        await self._say(f"RCPT TO:<{recipient}>".encode(), 250)
        await self._say(b"DATA", 354)
        await self._say(data + b".", 250)  # the data ends with CRLF
        return time.monotonic()

    async def close(self) -> None:
        await self._say(b"QUIT", 221)
        self._writer.close()

    async def _say(self, line: bytes, code: int) -> None:
        self._writer.write(line + b"\r\n")
        await self._reply(code)

    async def _reply(self, code: int) -> None:
        while True:
            line = await self._reader.readline()
            if line[3:4] != b"-":
                break
        if line[:3] != str(code).encode():
            raise RuntimeError(f"expected {code}, got {line!r}")


async def send_all(
    port: int,
    mails: Sequence[tuple[str, bytes]],
    *,
    connections: int = 10,
    login: tuple[str, str] | None = None,
    sender: str = "load@sender.example",
) -> dict[int, float]:
    """Send (recipient, mail) over some connections; answers when each got its 250."""
    waiting = iter(enumerate(mails))
    done: dict[int, float] = {}

    async def work() -> None:
        client = await SmtpClient.connect(port, login)
        for number, (recipient, data) in waiting:
            done[number] = await client.send(recipient, data, sender)
        await client.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return done


class _Arrivals:
    """When each token came, and how often."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._more = asyncio.Event()

    def note(self, data: bytes) -> None:
        found = TOKEN.search(data)
        if found is not None:
            name = found[0].decode()
            self.counts[name] += 1
            self.first.setdefault(name, time.monotonic())
            self._more.set()

    async def all_of(self, names: Sequence[str], patience: float = 120.0) -> float:
        """Wait for all of them; answers when the last one that came did, missing or not."""
        try:
            async with asyncio.timeout(patience):
                for name in names:
                    while name not in self.first:
                        self._more.clear()
                        await self._more.wait()
        except TimeoutError:
            pass
        return max((self.first[name] for name in names if name in self.first), default=time.monotonic())

    def missing(self, names: Sequence[str]) -> int:
        return sum(name not in self.first for name in names)

    def doubled(self, names: Sequence[str]) -> int:
        return sum(self.counts[name] > 1 for name in names)


class WebhookSink(_Arrivals):
    """An endpoint that answers 204 to every POST."""

    async def __aenter__(self) -> WebhookSink:
        self._runner = web.ServerRunner(web.Server(self._take, access_log=None))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def _take(self, request: web.BaseRequest) -> web.Response:
        self.note(await request.read())
        return web.Response(status=204)


class SmtpSink(_Arrivals):
    """An SMTP server that takes everything and keeps only the subject's token (RFC 2920 pipelining)."""

    async def __aenter__(self) -> SmtpSink:
        self._server = await asyncio.start_server(self._session, "127.0.0.1", 0, limit=2**20)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink.example ESMTP\r\n")
        try:
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(
                        b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
                    )
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    self.note(await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(b"250 2.0.0 taken\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 2.0.0 OK\r\n")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):  # or the sink ends
            pass
        finally:
            writer.close()
