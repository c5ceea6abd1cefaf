"""The world around the gateway, on loopback and in threads of its own: a webhook endpoint, a foreign mail
server, senders, a person's IMAP client, and patience.
"""

from __future__ import annotations

import asyncio
import imaplib
import json
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from aiosmtpd.smtp import SMTP
from standardwebhooks import Webhook

from mailserver.listening import listen

T = TypeVar("T")


def until(probe: Callable[[], T | None], timeout: float = 20.0, why: str = "", pause: float = 0.05) -> T:
    """The first true answer of ``probe``; fails with ``why`` and the last answer after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{why or 'waited in vain'} ({timeout:g} s): last answer {found!r}")
        time.sleep(pause)


@dataclass(frozen=True)
class Post:
    """One request the endpoint took. ``at`` is time.time(), in seconds."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def type(self) -> str:
        return str(self.json["event_type"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Endpoint:
    """A webhook endpoint. ``answer`` gives the status for a post (default 200), or status and headers."""

    answer: Callable[[Post], int | tuple[int, dict[str, str]]] = lambda post: 200
    posts: list[Post] = field(default_factory=list)
    url: str = ""

    def of(self, *types: str) -> list[Post]:
        """The posts of these event types, in order of arrival."""
        return [one for one in list(self.posts) if one.type in types]

    def wait(self, event_type: str, count: int = 1, timeout: float = 20.0) -> list[Post]:
        """Wait for ``count`` posts of a type."""
        until(
            lambda: len(self.of(event_type)) >= count,
            timeout,
            f"{count} {event_type} wanted, seen {Counter(one.type for one in self.posts)}",
        )
        return self.of(event_type)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway killed in the middle of a post is no news."""


@contextmanager
def webhook_endpoint() -> Iterator[Endpoint]:
    """A started endpoint on a free port."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            post = Post(time.time(), self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            endpoint.posts.append(post)
            answer = endpoint.answer(post)
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            content = b"fetched by its address"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def verified(post: Post, secret: str) -> dict[str, Any]:
    """The payload, when the official library accepts its signature; raises WebhookVerificationError."""
    value: dict[str, Any] = Webhook(secret).verify(post.body, post.headers)
    return value


@dataclass(frozen=True)
class Mail:
    """One message the foreign server took."""

    mail_from: str
    recipients: tuple[str, ...]
    data: bytes
    options: tuple[str, ...]

    def header(self, name: str) -> str:
        """The unfolded value of a header field, or ''."""
        head = self.data.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0].decode("utf-8", "replace")
        unfolded = head.replace("\n ", " ").replace("\n\t", " ")
        for line in unfolded.split("\n"):
            if line.lower().startswith(name.lower() + ":"):
                return line.split(":", 1)[1].strip()
        return ""


class Abroad:
    """A foreign mail server. ``refuse`` maps a recipient to its reply; the rest is taken and kept."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuse: dict[str, str] = {}
        self.port = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        sender = "" if envelope.mail_from in (None, "<>") else envelope.mail_from
        self.mails.append(
            Mail(sender, tuple(envelope.rcpt_tos), envelope.content, tuple(envelope.mail_options))
        )
        return "250 2.0.0 taken"

    def to(self, address: str) -> list[Mail]:
        return [one for one in list(self.mails) if address in one.recipients]

    def wait(self, address: str, count: int = 1, timeout: float = 20.0) -> list[Mail]:
        """Wait for ``count`` mails to a recipient."""
        until(lambda: len(self.to(address)) >= count, timeout, f"{count} mails to {address} abroad")
        return self.to(address)


@contextmanager
def foreign_server() -> Iterator[Abroad]:
    """A started foreign mail server on a free port, in a thread of its own."""
    abroad = Abroad()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    def session() -> SMTP:
        return SMTP(abroad, hostname="abroad.test", enable_SMTPUTF8=True, loop=loop)

    async def main() -> None:
        listening = await listen(session, "127.0.0.1", 0, backlog=256)
        abroad.port = listening.port
        ready.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await listening.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        job = loop.create_task(main())
        stop.append(lambda: loop.call_soon_threadsafe(job.cancel))
        try:
            loop.run_until_complete(job)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    stop: list[Callable[[], object]] = []
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield abroad
    finally:
        stop[0]()
        thread.join(5)


def letter(
    to: str,
    subject: str = "Hello",
    text: str = "A line from outside.\n",
    *,
    sender: str = "Ann Outside <ann@abroad.test>",
    message_id: str | None = None,
    **headers: str,
) -> EmailMessage:
    """A plain message; ``headers`` name further fields with _ for -."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = message_id or f"<{time.time_ns()}.{threading.get_ident()}@abroad.test>"
    message["Date"] = "Sat, 21 Nov 2026 05:00:00 +0000"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def deliver(port: int, data: EmailMessage | bytes, *recipients: str, sender: str = "ann@abroad.test") -> None:
    """Hand a message to an SMTP server, as any foreign server would; raises smtplib.SMTPException."""
    raw = data if isinstance(data, bytes) else data.as_bytes()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="abroad.test", timeout=30) as smtp:
        smtp.sendmail(sender, list(recipients), raw)


@contextmanager
def person(host: str, port: int, address: str, password: str) -> Iterator[imaplib.IMAP4]:
    """A person's IMAP client, logged in."""
    client = imaplib.IMAP4(host, port, timeout=20)
    try:
        client.login(address, password)
        yield client
    finally:
        try:
            client.logout()
        except (OSError, imaplib.IMAP4.error):
            pass


def sees(client: imaplib.IMAP4, folder: str, *criteria: str) -> list[bytes]:
    """The message numbers in a folder that match an IMAP SEARCH."""
    status, _ = client.select(folder)
    if status != "OK":
        return []
    _, found = client.search(None, *criteria)
    return list(found[0].split()) if found and found[0] else []
