"""A foreign mail server on loopback, in a thread of its own: what our mail reaches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP

from mailserver.listening import listen
from tests.support.waiting import until


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


class ForeignServer:
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
        until(lambda: len(self.to(address)) >= count, timeout, f"{count} mails to {address} foreign")
        return self.to(address)


@contextmanager
def foreign_server() -> Iterator[ForeignServer]:
    """A started foreign mail server on a free port, in a thread of its own."""
    foreign = ForeignServer()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    def session() -> SMTP:
        return SMTP(foreign, hostname="abroad.test", enable_SMTPUTF8=True, loop=loop)

    async def main() -> None:
        listening = await listen(session, "127.0.0.1", 0, backlog=256)
        foreign.port = listening.port
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
        yield foreign
    finally:
        stop[0]()
        thread.join(5)
