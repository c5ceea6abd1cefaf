"""What aiosmtpd lacks for a public listener: connection limits, tolerated parameters, honest failures.

RFC 5321 §4.2.1: what we could not do now is 4xx; aiosmtpd alone would answer 500 to any exception, and the
sender would bounce the mail.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Session as SessionState

from mailserver.content import Content, Spool
from mailserver.disks import Disks
from mailserver.doorway import Doorway, Place
from mailserver.embedded.data_reader import NO_ROOM, NO_SPACE, DataReader
from mailserver.embedded.settings import Limits
from mailserver.inflight import InFlight
from mailserver.listening import Listening, listen

log = logging.getLogger(__name__)

CROWDED_SECONDS = 20.0
"""Seconds without a command after which a session ends while most connections are taken."""

# RFC 3461 (RET, ENVID, NOTIFY, ORCPT) and RFC 4954 (AUTH=): tolerated though not offered
_TOLERATED = re.compile(r"\s(?:RET|ENVID|NOTIFY|ORCPT|AUTH|BY|MT-PRIORITY)=\S*", re.IGNORECASE)

# the paths nearly all mail has: dot-atoms (RFC 5322 §3.2.3) in angle brackets, no comment behind
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_PATH = re.compile(rf"<({_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*)>(?:[ \t]+([^()]*))?")


class _State(SessionState):
    """What is known of a connection. aiosmtpd sets ``login_data`` at each login, and warns in the log each time that it
    is deprecated; we read ``auth_data``, so here it is a plain attribute that nobody needs to hear of."""

    login_data: Any = None


class Session(SMTP):
    """One connection of a :class:`Listener`."""

    # what is read ahead of a session that does not read now is twice this; mail data has no such limit (data_reader)
    line_length_limit = 1 << 16
    # 255 octets of local part in the wild; RFC 5321 §4.5.3.1.3 has 256 for a path
    command_size_limit = 2048
    in_data = False
    """Whether a message is being read or handed on: that has deadlines of its own."""
    hurried = False
    handing_on = False
    """Whether a message was read and is not answered yet."""

    def __init__(self, listener: Listener, **options: Any) -> None:
        super().__init__(listener.handler, **options)
        self._listener = listener
        self._place: Place | None = None

    def _create_session(self) -> SessionState:
        return _State(self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is None:  # not the second call, after STARTTLS
            assert isinstance(transport, asyncio.Transport)
            peer = transport.get_extra_info("peername")
            self._place = self._listener.admit(self, peer[0] if peer else "")
            if self._place is None:
                transport.write(b"421 4.7.0 too many connections, try again later\r\n")
                transport.close()
        super().connection_made(transport)
        if self._listener.implicit is not None and self.session is not None:
            self.session.ssl = {"implicit": True}  # what aiosmtpd sets after STARTTLS

    def connection_lost(self, error: Exception | None) -> None:
        self._listener.dismiss(self, self._place)
        self._place = None
        super().connection_lost(error)

    def logged_in(self, login: str) -> bool:
        """From now on the connection counts as ``login``'s; False when that has too many."""
        return self._place is not None and self._listener.doorway.move(self._place, login)

    def _reset_timeout(self, duration: float | None = None) -> None:
        # in a crowd nobody is waited for as long as RFC 5321 §4.5.3.2.7 asks
        self.hurried = self._listener.doorway.crowded
        super()._reset_timeout(duration or (CROWDED_SECONDS if self.hurried else None))

    def hurry(self) -> None:
        """There is a crowd: wait no longer for a command than is usual then."""
        if not self.hurried and not self.in_data and self.transport is not None:
            self._reset_timeout()

    async def smtp_DATA(self, arg: str | None) -> None:
        """As aiosmtpd's, but the message goes to disk, and has its time and its share of what may be in flight."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        listener, client = self._listener, self._place.client if self._place else ""
        if listener.inflight.full(client):
            await self.push(NO_ROOM)
            self._set_post_data_state()  # type: ignore[no-untyped-call]
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        with listener.inflight.upload(client) as upload, Spool(listener.spool) as spool:
            data = DataReader(spool, upload, self.data_size_limit or 0)
            assert self._timeout_handle is not None
            self._timeout_handle.cancel()
            self.in_data = True
            try:
                await data.read(self._reader, listener.limits.pace)
                status = data.refusal
                if not status:
                    self.handing_on = True
                    self.envelope.content = Content(b"", spool)  # type: ignore[assignment]
                    self.envelope.digest = data.digest.digest()  # type: ignore[attr-defined]
                    status = await self._call_handler_hook("DATA")
            except TimeoutError:
                await self.push("421 4.4.2 the message comes too slowly")
                if self.transport is not None:
                    self.transport.close()
                return
            finally:
                self.in_data = self.handing_on = False
                self._set_post_data_state()  # type: ignore[no-untyped-call]
                if self.transport is not None:
                    self._reset_timeout()
        await self.push(status)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self._listener.disks.short() is not None:
            await self.push(NO_SPACE)
            return
        await super().smtp_MAIL(_TOLERATED.sub("", arg) if arg else arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        await super().smtp_RCPT(_TOLERATED.sub("", arg) if arg else arg)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # aiosmtpd takes every path apart with email's full grammar: an eighth of the time a mail takes here
        plain = None if self.local_part_limit else _PLAIN_PATH.fullmatch(arg or "")
        if plain is None:
            return super()._getaddr(arg)
        return plain[1], plain[2] or ""

    async def smtp_VRFY(self, arg: str) -> None:
        """Says nothing about who exists (RFC 5321 §7.3)."""
        await self.push("252 2.5.2 send some mail, I will try")

    async def handle_exception(self, error: Exception) -> str:
        if isinstance(error, (ConnectionError, asyncio.IncompleteReadError)):
            return "421 4.4.2 connection lost"
        log.error("SMTP session failed", exc_info=error)
        return "451 4.3.0 local error, try again later"


class Listener:
    """A listening socket and its sessions, counted."""

    def __init__(
        self,
        handler: Any,
        *,
        hostname: str,
        limits: Limits,
        make: Callable[..., Session] = Session,
        tls: ssl.SSLContext | None = None,
        implicit: ssl.SSLContext | None = None,
        inflight: InFlight | None = None,
        spool: Path | None = None,
        disks: Disks | None = None,
        logins: bool = False,
        **options: Any,
    ) -> None:
        """``tls`` is for STARTTLS; with ``implicit`` TLS begins with the connection (RFC 8314 §3.3).

        ``inflight``: what mail that is being received counts against; ``spool``: the directory where it lies;
        ``disks``: without room there none is taken. With ``logins`` those who did not log in have half of the
        connections at the most.
        """
        self.handler = handler
        self.implicit = implicit
        self.limits = limits
        self.doorway = Doorway(
            limits.connections, limits.connections_per_address, limits.newcomers, logins=logins
        )
        self.inflight = inflight or InFlight(16 * limits.message_size)
        self.spool = spool
        self.disks = disks or Disks({}, 0)
        self._make = make
        self._options: dict[str, Any] = {
            "hostname": hostname,
            "ident": "ESMTP",
            "data_size_limit": limits.message_size,
            "enable_SMTPUTF8": True,
            "timeout": limits.command_timeout,
            "tls_context": tls,
            **options,
        }
        self._listening: Listening | None = None
        self._sessions: set[Session] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await listen(
            lambda: self._make(self, loop=loop, **self._options), host, port, tls=self.implicit, backlog=512
        )
        self.port = self._listening.port

    async def stop(self, grace: float = 3.0) -> None:
        """Accept nobody new; give transactions in progress ``grace`` seconds, then close."""
        if self._listening is None:
            return
        await self._listening.refuse()
        deadline = asyncio.get_running_loop().time() + grace
        while any(one.handing_on for one in self._sessions):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.02)
        tasks = [one._handler_coroutine for one in self._sessions if one._handler_coroutine is not None]
        for session in list(self._sessions):
            if isinstance(session.transport, asyncio.Transport):
                session.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        await self._listening.close()
        self._listening = None

    def admit(self, session: Session, address: str) -> Place | None:
        """Count a connection; None when there is no place for it."""
        place = self.doorway.enter(address)
        if self.doorway.crowded:
            for one in self._sessions:
                one.hurry()
        self._sessions.add(session)
        return place

    def dismiss(self, session: Session, place: Place | None) -> None:
        """A connection ended."""
        self._sessions.discard(session)
        if place is not None:
            self.doorway.leave(place)
