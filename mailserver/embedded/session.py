"""What aiosmtpd lacks for a public listener: connection limits, tolerated parameters, honest failures.

RFC 5321 §4.2.1: what we could not do now is 4xx; aiosmtpd alone would answer 500 to any exception, and the
sender would bounce the mail.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Session as SessionState

from mailserver.embedded.settings import Limits
from mailserver.listening import Listening, listen

log = logging.getLogger(__name__)

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

    # lines over 998 octets are wrong but common (RFC 5322 §2.1.1); refused only when absurd
    line_length_limit = 1 << 20
    # 255 octets of local part in the wild; RFC 5321 §4.5.3.1.3 has 256 for a path
    command_size_limit = 2048

    def __init__(self, listener: Listener, **options: Any) -> None:
        super().__init__(listener.handler, **options)
        self._listener = listener
        self._counted: str | None = None

    def _create_session(self) -> SessionState:
        return _State(self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is None:  # not the second call, after STARTTLS
            assert isinstance(transport, asyncio.Transport)
            peer = transport.get_extra_info("peername")
            address = peer[0] if peer else ""
            self._counted = address
            if not self._listener.admit(self, address):
                transport.write(b"421 4.7.0 too many connections, try again later\r\n")
                transport.close()
        super().connection_made(transport)
        if self._listener.implicit is not None and self.session is not None:
            self.session.ssl = {"implicit": True}  # what aiosmtpd sets after STARTTLS

    def connection_lost(self, error: Exception | None) -> None:
        if self._counted is not None:
            self._listener.dismiss(self, self._counted)
            self._counted = None
        super().connection_lost(error)

    async def smtp_MAIL(self, arg: str | None) -> None:
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
        **options: Any,
    ) -> None:
        """``tls`` is for STARTTLS; with ``implicit`` TLS begins with the connection (RFC 8314 §3.3)."""
        self.handler = handler
        self.implicit = implicit
        self._limits = limits
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
        self._by_address: Counter[str] = Counter()
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
        while any(one.envelope is not None and one.envelope.content for one in self._sessions):
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

    def admit(self, session: Session, address: str) -> bool:
        self._sessions.add(session)
        self._by_address[address] += 1
        return (
            len(self._sessions) <= self._limits.connections
            and self._by_address[address] <= self._limits.connections_per_address
        )

    def dismiss(self, session: Session, address: str) -> None:
        self._sessions.discard(session)
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
