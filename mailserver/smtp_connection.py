"""One asyncio SMTP or LMTP session (RFC 5321, RFC 2033).

Commands of one transaction are pipelined where the peer offers it (RFC 2920), so that a delivery costs two
round trips. No threads: hundreds of slow remote servers cost sockets only.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mailserver.addresses import wire_form
from mailserver.base import RecipientReply, Tls
from mailserver.content import Content, Octets, content_of

_LINE_END = re.compile(rb"\r\n|\r|\n")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_MAX_REPLY_LINES = 200
_MOST = 990  # of an address: Return-Path and our Received field have it on one line
_ADDRESS = re.compile(r'(?:"[^\x00-\x1f\x7f<>]*"@)?[^\x00-\x20\x7f<>]*')


def fits_envelope(address: str) -> bool:
    """Whether an address can be written into MAIL and RCPT commands."""
    return len(address) <= _MOST and _ADDRESS.fullmatch(address) is not None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; RFC 5321 §4.5.3.2 asks for minutes, a queue that retries may be less patient."""

    connect: float = 30.0
    command: float = 120.0
    data: float = 600.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection leads. ``unix`` wins over host and port."""

    host: str = ""
    port: int = 0
    unix: str = ""
    lmtp: bool = False
    tls: Tls | Literal["opportunistic"] = "none"
    verify: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    name: str = ""  # for replies and TLS; the host if empty

    @property
    def label(self) -> str:
        return self.name or self.host or self.unix.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    def to_recipient(self, remote: str) -> RecipientReply:
        match = _STATUS.match(self.lines[0] if self.lines else "")
        status = match[1] if match else f"{self.code // 100 if self.code >= 200 else 4}.0.0"
        return RecipientReply(self.code, status, self.text[:1000], remote)

    def of_message(self, remote: str) -> RecipientReply:
        """As the answer to a whole message. Dovecot's LMTP says 421 when it is ended, also of what it just stored."""
        return replace(self.to_recipient(remote), unknown=self.code == 421)


class Refused(Exception):
    """The peer's answer ends the session or transaction."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


class Broken(Exception):
    """The connection failed. ``sent``: whether the peer may have taken the message."""

    def __init__(self, text: str, sent: bool = False) -> None:
        super().__init__(text)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Recipient:
    """An envelope recipient with its RFC 3461 parameters (xtext already applied), used if offered.

    ``verp``: the same recipient as it is named to a peer that offers XVERP, for a return path of its own.
    """

    address: str
    notify: str = ""
    orcpt: str = ""
    verp: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    mail_from: str
    recipients: Sequence[Recipient]
    data: Octets = field(repr=False)
    envid: str = ""
    ret: str = ""


def xtext(value: str) -> str:
    """RFC 3461 §4: bytes outside ``!``..``~`` and ``+``, ``=`` as +HH."""
    return "".join(chr(b) if 33 <= b <= 126 and b not in b"+=" else f"+{b:02X}" for b in value.encode())


async def data_block(content: Content) -> AsyncIterator[bytes]:
    """The DATA block (RFC 5321 §4.5.2) piece by piece: line ends made CRLF, dots doubled, the final dot."""
    held = b"\r\n"  # what a piece ended with; its end is not known before the next one
    first = True
    async for piece in content.stream():
        text = held + piece
        held = b""
        if text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        if text.count(b"\r\n") != text.count(b"\n") or text.count(b"\r") != text.count(b"\n"):
            text = _LINE_END.sub(b"\r\n", text)
        if not held and text.endswith(b"\r\n"):
            text, held = text[:-2], b"\r\n"
        text = text.replace(b"\r\n.", b"\r\n..")
        if first and text:
            text, first = text[2:], False
        if text:
            yield text
    yield b"\r\n.\r\n"


class Connection:
    """One session. Not for two tasks at once; drop it after :class:`Broken`."""

    def __init__(self, target: Target, hostname: str, timeouts: Timeouts) -> None:
        self.target = target
        self._hostname = hostname
        self._times = timeouts
        self._extensions: dict[str, str] = {}
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.used = time.monotonic()
        self.transactions = 0
        self.tls = False

    async def open(self) -> None:
        """Connect, greet, STARTTLS, AUTH. Raises Refused or Broken."""
        target = self.target
        try:
            async with asyncio.timeout(self._times.connect):
                if target.unix:
                    self._reader, self._writer = await asyncio.open_unix_connection(target.unix)
                else:
                    context = self._context() if target.tls == "implicit" else None
                    self._reader, self._writer = await asyncio.open_connection(
                        target.host,
                        target.port,
                        ssl=context,
                        server_hostname=target.label if context else None,
                    )
                    self.tls = context is not None
        except (OSError, TimeoutError) as error:
            raise Broken(f"connect to {target.label}: {error or 'timeout'}") from error
        self._expect(await self._reply(), 220)
        await self._hello()
        if target.tls in ("starttls", "opportunistic") and not self.tls:
            await self._starttls(required=target.tls == "starttls")
        if target.user:
            await self._login()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    async def quit(self) -> None:
        if self._writer is not None:
            try:
                self._writer.write(b"QUIT\r\n")
                await asyncio.wait_for(self._writer.drain(), 1)
            except (OSError, TimeoutError):
                pass
            self.close()

    def offers(self, keyword: str) -> bool:
        return keyword in self._extensions

    @property
    def alive(self) -> bool:
        return (
            self._writer is not None
            and self._reader is not None
            and not self._writer.is_closing()
            and not self._reader.at_eof()
        )

    async def send(self, job: Transaction) -> dict[str, RecipientReply]:
        """One transaction; a reply for each recipient. Raises Broken; the connection is then dead."""
        remote = self.target.label
        utf8 = not (job.mail_from.isascii() and all(one.address.isascii() for one in job.recipients))
        if utf8 and not self.offers("SMTPUTF8"):
            # RFC 6531 §3.5: the next hop cannot carry these addresses
            return self._all(job, Reply(550, ("5.6.7 the next hop does not offer SMTPUTF8",)))
        limit = self._extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < len(job.data):
            return self._all(job, Reply(552, ("5.3.4 message too large for the next hop",)))
        mail, rcpts = self._commands(job, utf8)
        pipelining = self.offers("PIPELINING")
        self.used = time.monotonic()
        self.transactions += 1
        answers: dict[str, RecipientReply] = {}
        accepted: list[str] = []
        if pipelining:
            await self._write(b"".join([mail, *rcpts]))
        else:
            await self._write(mail)
        first = await self._reply()
        if first.code // 100 != 2:
            for _ in rcpts if pipelining else ():
                await self._reply()
            await self._reset()
            return self._all(job, first)
        for one, command in zip(job.recipients, rcpts, strict=True):
            if not pipelining:
                await self._write(command)
            reply = await self._reply()
            answers[one.address] = reply.to_recipient(remote)
            if reply.code // 100 == 2:
                accepted.append(one.address)
        if not accepted:
            await self._reset()
            return answers
        await self._write(b"DATA\r\n")
        go = await self._reply()
        if go.code != 354:
            await self._reset()
            return answers | {address: go.to_recipient(remote) for address in accepted}
        async for block in data_block(content_of(job.data)):
            # each piece has the time that RFC 5321 §4.5.3.2.5 gives a block
            await self._write(block, self._times.data, sent=True)
        if not self.target.lmtp:
            last = await self._reply(self._times.data, sent=True)
            return answers | {address: last.of_message(remote) for address in accepted}
        for address in accepted:  # RFC 2033 §4.2: one reply for each accepted recipient, in order
            answers[address] = (await self._reply(self._times.data, sent=True)).of_message(remote)
        return answers

    def _commands(self, job: Transaction, utf8: bool) -> tuple[bytes, list[bytes]]:
        for address in (job.mail_from, *(one.address for one in job.recipients)):
            if not fits_envelope(address):
                raise ValueError(f"unfit for an envelope: {address!r}")
        extra = ""
        if self.offers("8BITMIME"):
            extra += " BODY=8BITMIME"
        if utf8:
            extra += " SMTPUTF8"
        if self.offers("SIZE"):
            extra += f" SIZE={len(job.data)}"
        verp = self.offers("XVERP") and any(one.verp for one in job.recipients)
        if verp:
            extra += " XVERP=+="
        dsn = self.offers("DSN")
        if dsn and job.ret:
            extra += f" RET={job.ret}"
        if dsn and job.envid:
            extra += f" ENVID={xtext(job.envid)}"
        rcpts = []
        for one in job.recipients:
            line = f"RCPT TO:<{wire_form(one.verp if verp and one.verp else one.address)}>"
            if dsn and one.notify:
                line += f" NOTIFY={one.notify}"
            if dsn and one.orcpt:
                line += f" ORCPT={one.orcpt}"
            rcpts.append(f"{line}\r\n".encode())
        return f"MAIL FROM:<{wire_form(job.mail_from)}>{extra}\r\n".encode(), rcpts

    def _all(self, job: Transaction, reply: Reply) -> dict[str, RecipientReply]:
        return {one.address: reply.to_recipient(self.target.label) for one in job.recipients}

    async def _hello(self) -> None:
        verb = "LHLO" if self.target.lmtp else "EHLO"
        reply = await self._command(f"{verb} {self._hostname}")
        if reply.code != 250 and not self.target.lmtp:
            self._expect(await self._command(f"HELO {self._hostname}"), 250)
            self._extensions = {}
            return
        self._expect(reply, 250)
        pairs = (line.partition(" ") for line in reply.lines[1:])
        self._extensions = {keyword.upper(): rest.strip() for keyword, _, rest in pairs}

    async def _starttls(self, required: bool) -> None:
        if not self.offers("STARTTLS"):
            if required:
                raise Refused(Reply(454, ("4.7.0 the next hop does not offer STARTTLS",)))
            return
        self._expect(await self._command("STARTTLS"), 220)
        assert self._writer is not None
        try:
            async with asyncio.timeout(self._times.connect):
                await self._writer.start_tls(self._context(), server_hostname=self.target.label)
        except (OSError, TimeoutError) as error:
            raise Broken(f"TLS with {self.target.label}: {error or 'timeout'}") from error
        self.tls = True
        await self._hello()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self.target.verify:
            # opportunistic: an unverified channel is better than none (RFC 7435)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def _login(self) -> None:
        offered = self._extensions.get("AUTH", "").upper().split()
        user, password = self.target.user, self.target.password
        if "PLAIN" in offered or "LOGIN" not in offered:
            token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            self._expect(await self._command(f"AUTH PLAIN {token}"), 235)
            return
        self._expect(await self._command("AUTH LOGIN"), 334)
        self._expect(await self._command(base64.b64encode(user.encode()).decode()), 334)
        self._expect(await self._command(base64.b64encode(password.encode()).decode()), 235)

    async def _reset(self) -> None:
        self._expect(await self._command("RSET"), 250)

    async def _command(self, line: str) -> Reply:
        await self._write(f"{line}\r\n".encode())
        return await self._reply()

    async def _write(self, data: bytes, timeout: float | None = None, sent: bool = False) -> None:
        if self._writer is None:
            raise Broken("not connected")
        try:
            self._writer.write(data)
            async with asyncio.timeout(timeout or self._times.command):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise Broken(f"{self.target.label}: {error or 'timeout'}", sent) from error

    async def _reply(self, timeout: float | None = None, sent: bool = False) -> Reply:
        if self._reader is None:
            raise Broken("not connected")
        lines: list[str] = []
        try:
            async with asyncio.timeout(timeout or self._times.command):
                while len(lines) < _MAX_REPLY_LINES:
                    raw = await self._reader.readline()
                    if not raw.endswith(b"\n") or not raw[:3].isdigit():
                        raise Broken(f"{self.target.label} closed the connection", sent)
                    lines.append(raw[4:].decode("utf-8", "replace").strip())
                    if raw[3:4] != b"-":
                        return Reply(int(raw[:3]), tuple(lines))
        except (OSError, TimeoutError, ValueError) as error:
            raise Broken(f"{self.target.label}: {error or 'timeout'}", sent) from error
        raise Broken(f"{self.target.label}: endless reply", sent)

    @staticmethod
    def _expect(reply: Reply, code: int) -> None:
        if reply.code != code:
            raise Refused(reply)
