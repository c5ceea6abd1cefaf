"""Submission for people's mail clients (RFC 6409): AUTH, their own address as sender, then the outbox."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any

from aiosmtpd.smtp import AuthResult, LoginPassword

from mailserver.addresses import is_sent_copy, names_of
from mailserver.base import CheckKey, MailServerDown, MailServerError, OnSubmission, Submission
from mailserver.directory import Directory
from mailserver.embedded import wire
from mailserver.embedded.data_reader import NO_ROOM
from mailserver.embedded.session import Session
from mailserver.embedded.settings import Limits
from mailserver.guessing import Guesses
from mailserver.international import with_ascii_domain
from mailserver.memory import Memory, NoMemory
from mailserver.passwords import verify_password

log = logging.getLogger(__name__)

_MAX_FAILURES = 3
_TIMES = 5  # what completing, signing and queueing take, in the message's own size
_PATIENCE = 120.0  # seconds a large message waits for memory


def _unchecked(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=True, auth_data=data)


class SubmissionSession(Session):
    """Checks the password in a thread: the hash costs 20 ms by intention."""

    def __init__(self, listener: Any, **options: Any) -> None:
        super().__init__(listener, authenticator=_unchecked, **options)
        # set here, because aiosmtpd warns at each connection when AUTH without TLS is allowed (loopback)
        self._auth_required = True
        self._failures = 0
        self._login_by: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._login_by is None:  # not the second call, after STARTTLS
            self._login_by = self.loop.call_later(self._listener.limits.login_seconds, self._no_login)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._login_by is not None:
            self._login_by.cancel()
        super().connection_lost(error)

    def _no_login(self) -> None:
        """Who does not log in has no business here, and would take a place from others."""
        if self.session is not None and not self.session.authenticated and self.transport is not None:
            self.transport.close()

    async def auth_PLAIN(self, server: Any, args: list[str]) -> AuthResult:
        return await self._checked(await super().auth_PLAIN(server, args))

    async def auth_LOGIN(self, server: Any, args: list[str]) -> AuthResult:
        return await self._checked(await super().auth_LOGIN(server, args))

    async def _checked(self, result: AuthResult) -> AuthResult:
        if not result.success or not isinstance(result.auth_data, LoginPassword):
            return result
        login, password = result.auth_data.login, result.auth_data.password
        peer = self.session.peer[0] if self.session is not None and self.session.peer else ""
        guesses, account = self.event_handler.guesses, login.decode("utf-8", "replace")
        await asyncio.sleep(guesses.begin(peer, account))
        found = None
        try:
            found = await self.event_handler.authenticate(login, password)
        except MailServerDown as error:
            await self.push(f"454 4.7.0 {_line(error)}, try again")
            return AuthResult(success=False, handled=True)
        finally:
            guesses.end(peer, account, found is not None)
        if found is not None and not self.logged_in(found.login.decode()):
            await self.push("421 4.7.0 too many connections of this mailbox, close some")
            if self.transport is not None:
                self.transport.close()
            return AuthResult(success=False, handled=True)
        if found is not None:
            return AuthResult(success=True, auth_data=found)
        self._failures += 1
        await asyncio.sleep(self._failures)  # make guessing slow
        if self._failures >= _MAX_FAILURES:
            await self.push("421 4.7.0 too many failed logins")
            if self.transport is not None:
                self.transport.close()
            return AuthResult(success=False, handled=True)
        return AuthResult(success=False, handled=False)


class SubmissionHandler:
    """aiosmtpd handler of the submission listener."""

    def __init__(
        self,
        directory: Directory,
        on_submission: OnSubmission,
        hostname: str,
        limits: Limits,
        memory: Memory,
        guesses: Guesses,
        check_key: CheckKey,
    ) -> None:
        self._check_key = check_key
        self._memory = memory
        self.guesses = guesses
        self._directory = directory
        self._on_submission = on_submission
        self._hostname = hostname
        self._limits = limits

    async def authenticate(self, login: bytes, password: bytes) -> LoginPassword | None:
        """The mailbox address that these credentials open, and the API key if the password is one; None for neither.

        Raises MailServerDown when that cannot be said now.
        """
        mailbox = self._directory.find(login.decode("utf-8", "replace").strip().lower())
        if mailbox is None:
            return None
        address = mailbox.address.encode()
        stored = mailbox.password
        if stored is not None and await asyncio.to_thread(verify_password, stored, password):
            return LoginPassword(address, b"")
        if await self._check_key(mailbox.address, password.decode("utf-8", "replace"), "smtp"):
            return LoginPassword(address, password)
        return None

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        login, key = _login(session), _key(session)
        # looked up again: the mailbox may have been removed since the login
        if self._directory.find(login) is None:
            return "535 5.7.8 this mailbox is gone"
        try:
            if key and not await self._check_key(login, key, "smtp"):
                return "535 5.7.8 this API key was revoked, has expired or may no longer send"
        except MailServerDown as error:
            return f"451 4.3.0 {_line(error)}"
        if not self._directory.may_send(login, self._directory.named(address)):
            return f"553 5.7.1 the sender must be {login} or an alias of it"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= self._limits.recipients:
            return "452 4.5.3 too many recipients"
        if not names_of(address) or is_sent_copy(address):
            return "550 5.1.3 bad recipient address"
        address = with_ascii_domain(address)  # so that servers without SMTPUTF8 can be sent to
        if address not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        login, content = _login(session), envelope.content
        head = await asyncio.to_thread(wire.head_of, content) if content.on_disk else wire.head_of(content)
        if not self._directory.may_send(login, self._directory.named(wire.author(head.fields))):
            return f"550 5.7.1 the From field must be {login} or an alias of it"
        peer = session.peer[0] if session.peer else "unknown"
        received = wire.received_field(
            helo=session.host_name or "",
            peer=peer,
            hostname=self._hostname,
            protocol="ESMTPSA" if session.ssl else "ESMTPA",
            recipient=None,
            queue_id=secrets.token_hex(6),
        )
        message = wire.completed(content, head, hostname=self._hostname, received=received)
        try:
            async with self._memory.hold(login, _TIMES * len(message), _PATIENCE):
                data = await asyncio.to_thread(message.whole) if message.on_disk else message.whole()
                job = Submission(login, envelope.mail_from, tuple(envelope.rcpt_tos), data)
                queue_id = await self._on_submission(job)
        except NoMemory:
            return NO_ROOM
        except MailServerDown as error:
            return f"451 4.3.0 {_line(error)}"
        except MailServerError as error:
            return f"550 5.7.1 {_line(error)}"
        return f"250 2.0.0 OK: queued as {_line(queue_id)}"


def _login(session: Any) -> str:
    """The mailbox address that logged in; empty before that."""
    found = session.auth_data
    return found.login.decode() if isinstance(found, LoginPassword) else ""


def _key(session: Any) -> str:
    """The API key that logged in; empty when it was the mailbox's own password."""
    found = session.auth_data
    return found.password.decode("utf-8", "replace") if isinstance(found, LoginPassword) else ""


def _line(value: object) -> str:
    return " ".join(str(value).split())[:200]
