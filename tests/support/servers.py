"""Mail servers, sinks and name servers for tests: the real ones, on loopback, on free ports.

``embedded_server`` and ``postfix_server`` yield a started mail server and stop it; ``Sink`` is an SMTP server
that keeps what it gets; ``NameServer`` answers DNS from a dict.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from aiosmtpd.smtp import SMTP

from mailserver.base import Hint, MailServerError, OnHint, OnSubmission, Submission
from mailserver.dovecot import check_installation
from mailserver.embedded import EmbeddedServer, EmbeddedSettings
from mailserver.listening import Listening, listen
from mailserver.postfix_dovecot import PostfixServer, PostfixSettings


def dovecot_missing() -> str | None:
    """Why Dovecot cannot run here, or None."""
    try:
        check_installation()
    except MailServerError as error:
        return str(error)
    return None


def postfix_missing() -> str | None:
    """Why a private Postfix cannot run here, or None."""
    if os.geteuid() != 0:
        return "Postfix needs root"
    if not (shutil.which("postfix") or Path("/usr/sbin/postfix").exists()):
        return "postfix is not installed"
    return dovecot_missing()


@contextmanager
def data_directory(tmp_path: Path) -> Iterator[Path]:
    """A directory the mail user may enter. pytest's own are closed to others, so root gets another."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(prefix="postern-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass
class Recorder:
    """Callbacks for ``MailServer.start`` that remember what they got."""

    hints: list[Hint] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    refuse: MailServerError | None = None

    def on_hint(self, hint: Hint) -> None:
        self.hints.append(hint)

    async def on_submission(self, submission: Submission) -> str:
        if self.refuse is not None:
            raise self.refuse
        self.submissions.append(submission)
        return f"q{len(self.submissions)}"

    async def hint(self, wanted: Callable[[Hint], bool], timeout: float = 5.0) -> Hint:
        """The first hint that is wanted, waited for."""
        async with asyncio.timeout(timeout):
            while True:
                for one in self.hints:
                    if wanted(one):
                        return one
                await asyncio.sleep(0.005)


@asynccontextmanager
async def embedded_server(
    tmp_path: Path,
    on_hint: OnHint | None = None,
    on_submission: OnSubmission | None = None,
    **overrides: Any,
) -> AsyncIterator[EmbeddedServer]:
    """A started embedded server; ``overrides`` are fields of EmbeddedSettings.

    ``recorder`` is an attribute of what is yielded when no callbacks were given.
    """
    reason = dovecot_missing()
    if reason:
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        server = EmbeddedServer(EmbeddedSettings(**{"data_dir": data, **overrides}))
        async with _started(server, on_hint, on_submission):
            yield server


@dataclass(frozen=True)
class Received:
    """One message a :class:`Sink` took."""

    mail_from: str
    recipients: tuple[str, ...]
    data: bytes
    helo: str


class Sink:
    """An SMTP server on a free loopback port. ``answers`` maps a recipient (or "DATA") to a refusal."""

    def __init__(self, answers: dict[str, str] | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.answers = answers or {}
        self.host = host
        self.port = port
        self.messages: list[Received] = []
        self.connections = 0
        self._listening: Listening | None = None

    async def __aenter__(self) -> Sink:
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            self.connections += 1
            return SMTP(self, hostname="sink.test", enable_SMTPUTF8=True, loop=loop)

        self._listening = await listen(session, self.host, self.port)
        self.port = self._listening.port
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        await self._listening.close()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if "DATA" in self.answers:
            return self.answers["DATA"]
        mail_from = "" if envelope.mail_from == "<>" else envelope.mail_from
        self.messages.append(
            Received(mail_from, tuple(envelope.rcpt_tos), envelope.content, session.host_name)
        )
        return "250 2.0.0 OK sunk"

    async def wait(self, count: int = 1, timeout: float = 20.0) -> list[Received]:
        """Wait until ``count`` messages are there."""
        async with asyncio.timeout(timeout):
            while True:
                if len(self.messages) >= count:
                    break
                await asyncio.sleep(0.02)
        return self.messages


class NameServer:
    """A tiny authoritative DNS server on a loopback UDP port.

    ``zones`` maps (name, type) to record texts, e.g. ``{("x.test", "MX"): ["10 mx.x.test."]}``. A name with no
    record of any type is NXDOMAIN; a value of None is SERVFAIL; ``silent`` names get no answer.
    """

    def __init__(self, zones: dict[tuple[str, str], list[str] | None], silent: tuple[str, ...] = ()) -> None:
        self.zones = zones
        self.silent = silent
        self.port = 0
        self.queries: list[tuple[str, str]] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> NameServer:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()
        await asyncio.sleep(0)

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.queries.append((name, kind))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        texts = self.zones.get((name, kind), [])
        if texts is None:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif texts:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        elif not any(held == name for held, _ in self.zones):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport is no subclass of it before Python 3.12
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._server.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def postfix_server(
    tmp_path: Path,
    on_hint: OnHint | None = None,
    on_submission: OnSubmission | None = None,
    **overrides: Any,
) -> AsyncIterator[PostfixServer]:
    """A started private Postfix with Dovecot; as :func:`embedded_server`."""
    reason = postfix_missing()
    if reason:
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        server = PostfixServer(PostfixSettings(**{"data_dir": data, **overrides}))
        async with _started(server, on_hint, on_submission):
            yield server


@asynccontextmanager
async def _started(
    server: EmbeddedServer | PostfixServer, on_hint: OnHint | None, on_submission: OnSubmission | None
) -> AsyncIterator[None]:
    recorder = Recorder()
    server.recorder = recorder
    await server.start(on_hint or recorder.on_hint, on_submission or recorder.on_submission)
    try:
        yield
    finally:
        await server.stop()
