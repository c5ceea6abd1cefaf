"""A loopback HTTP listener for Dovecot: receives its push notifications, and answers its questions about logins.

Dovecot's hook (templates/push.lua) posts ``{"user": "a@x", "events": [{"event": "MessageNew", "mailbox":
"INBOX"}]}`` during the delivery, so the answer must not wait. Before and after each login Dovecot posts to ``LOGINS``
(authentication policy), and where a password is not the mailbox's own, to ``KEYS`` (OAuth2 password grant, RFC 6749
§4.3.2): it may be an API key. The path contains a secret; requests without it get 404.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from typing import Literal
from urllib.parse import parse_qsl

import httptools
import msgspec

from mailserver.base import CheckKey, Hint, MailServerDown, OnHint
from mailserver.guessing import Guesses
from mailserver.listening import Listening, listen

log = logging.getLogger(__name__)

_MAX_BODY = 256 * 1024
LOGINS = "/logins"
"""Below the listener's own path: where Dovecot asks how long the answer to a login must wait."""
KEYS = "/keys"
"""The same: where Dovecot asks whether a password is an API key."""

_KEY_SECONDS = 4.0  # Dovecot waits 5 s
_NOBODY = "-"  # no mailbox has this name: Dovecot refuses a login whose name differs from the answer's

Kind = Literal["new", "flags", "expunge", "folders", "unknown"]

_KINDS: dict[str, Kind] = {
    "MessageNew": "new",
    "MessageAppend": "new",
    "FlagsSet": "flags",
    "FlagsClear": "flags",
    "MessageRead": "flags",
    "MessageTrash": "flags",
    "MessageExpunge": "expunge",
    "MailboxCreate": "folders",
    "MailboxDelete": "folders",
    "MailboxRename": "folders",
}


class _Event(msgspec.Struct):
    event: str
    mailbox: str = ""


class _Push(msgspec.Struct):
    user: str
    events: list[_Event] = []


_decode = msgspec.json.Decoder(_Push).decode


def hints_of(body: bytes) -> list[Hint]:
    """The hints in one POST body; raises msgspec.DecodeError or ValidationError for anything else."""
    push = _decode(body)
    found: dict[Hint, None] = {}
    for item in push.events:
        kind = _KINDS.get(item.event, "unknown")
        folder = None if kind == "folders" else item.mailbox or None
        found[Hint(push.user, folder, kind)] = None
    return list(found)


def notification_url(port: int, secret: str, host: str = "127.0.0.1") -> str:
    """What Dovecot posts to."""
    return f"http://{host}:{port}/{secret}"


class _Login(msgspec.Struct):
    """What Dovecot says of a login (authentication policy support in its documentation)."""

    login: str = ""
    remote: str = ""
    success: bool = False


_decode_login = msgspec.json.Decoder(_Login).decode


class NotificationListener:
    """Listens between :meth:`start` and :meth:`stop`; ``on_hint`` is called on the event loop.

    Dovecot also asks here how long the answer to a login has to wait, and reports how it went: ``guesses``.
    """

    def __init__(
        self,
        on_hint: OnHint,
        host: str = "127.0.0.1",
        port: int = 0,
        secret: str = "",
        *,
        share: bool = False,
        guesses: Guesses | None = None,
        check_key: CheckKey | None = None,
    ) -> None:
        """``share``: other processes of ours may listen on the same port; each request reaches one of them.
        ``check_key``: None refuses every API key."""
        self._share = share
        self._guesses = Guesses() if guesses is None else guesses  # an empty one is false
        self._check_key = check_key
        self._on_hint = on_hint
        self._host = host
        self._port = port
        self._secret = secret or secrets.token_urlsafe(24)
        self.path = f"/{self._secret}"
        self._listening: Listening | None = None
        self.notifications = 0

    @property
    def url(self) -> str:
        return notification_url(self._port, self._secret, self._host)

    @property
    def port(self) -> int:
        return self._port

    async def start(self) -> None:
        """Raises MailServerDown when the port is taken."""
        try:
            self._listening = await listen(
                lambda: _Connection(self), self._host, self._port, share=self._share
            )
        except OSError as error:
            raise MailServerDown(
                f"cannot listen for Dovecot on {self._host}:{self._port} ({error.strerror}): choose another "
                "mail.doorbell_port, and start Dovecot anew"
            ) from error
        self._port = self._listening.port

    async def stop(self) -> None:
        if self._listening is not None:
            await self._listening.close()
            self._listening = None

    def judge_login(self, path: bytes, body: bytes) -> bytes | None:
        """Answer Dovecot's question about a login; None for a path that is none."""
        where, _, command = path.partition(b"?command=")
        if not hmac.compare_digest(where, f"{self.path}{LOGINS}".encode()):
            return None
        try:
            asked = _decode_login(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a question about a login is not understood: %s", error)
            return b'{"status":0,"msg":""}'
        wait = 0
        if command == b"allow":
            wait = round(self._guesses.begin(asked.remote, asked.login))
        else:
            self._guesses.end(asked.remote, asked.login, asked.success)
        return b'{"status":%d,"msg":""}' % wait

    def asks_for_key(self, path: bytes) -> bool:
        """Whether a request asks about an API key."""
        return hmac.compare_digest(path, f"{self.path}{KEYS}".encode())

    async def grant(self, service: str, body: bytes) -> tuple[int, bytes]:
        """Answer whether the password of a login is an API key: status and body. Never raises.

        A refusal is an answer for nobody, because Dovecot 2.4 takes RFC 6749's ``invalid_grant`` for a failure of ours.
        """
        asked = dict(parse_qsl(body.decode("utf-8", "replace")))
        name, password = asked.get("username", ""), asked.get("password", "")
        try:
            async with asyncio.timeout(_KEY_SECONDS):
                allowed = self._check_key is not None and await self._check_key(name, password, service)
        except (MailServerDown, TimeoutError):
            return 503, b""
        except Exception:
            log.exception("an API key as password could not be checked")
            return 503, b""
        return 200, msgspec.json.encode({"username": name if allowed else _NOBODY, "access_token": "-"})

    def take(self, path: bytes, body: bytes) -> int:
        """Handle one request; answers the HTTP status."""
        if not hmac.compare_digest(path, self.path.encode()):
            return 404
        try:
            hints = hints_of(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("push not understood: %s", error)
            return 400
        self.notifications += 1
        for hint in hints:
            try:
                self._on_hint(hint)
            except Exception:  # the delivery must not fail for what a consumer does
                log.exception("hint refused: %s", hint)
        return 200


class _Connection(asyncio.Protocol):
    """One kept-alive connection of a Dovecot process."""

    def __init__(self, listener: NotificationListener) -> None:
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._grant: asyncio.Task[None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._path = b""
        self._body: list[bytes] = []
        self._size = 0
        self._expects = False
        self._service = ""

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, OverflowError):
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._grant is not None:
            self._grant.cancel()

    # httptools

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        elif name in (b"x-dovecot-auth-service", b"x-dovecot-auth-protocol"):  # of 2.3, of 2.4
            self._service = value.decode("latin-1").lower()

    def on_headers_complete(self) -> None:
        # RFC 9110 §10.1.1: Dovecot's first request of a process waits for this, two seconds if in vain
        if self._expects and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > _MAX_BODY:
            raise OverflowError
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, body, service = self._path, b"".join(self._body), self._service
        keep = self._parser.should_keep_alive()
        self._reset()
        if self._grant is not None:  # Dovecot sends nothing before it has its answer
            raise OverflowError
        if self._listener.asks_for_key(path):
            self._grant = asyncio.create_task(self._answer_grant(service, body, keep), name="api key login")
            return
        answer = self._listener.judge_login(path, body)
        status = self._listener.take(path, body) if answer is None else 200
        self._answer(status, answer or b"", keep)

    async def _answer_grant(self, service: str, body: bytes, keep: bool) -> None:
        status, answer = await self._listener.grant(service, body)
        self._grant = None
        self._answer(status, answer, keep)

    def _answer(self, status: int, body: bytes, keep: bool) -> None:
        if self._transport is None:
            return
        head = b"HTTP/1.1 %d .\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            status,
            len(body),
        )
        self._transport.write(head + body)
        if not keep:
            self._transport.close()
