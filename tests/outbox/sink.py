"""The internet in a test: one SMTP server that behaves by the recipient's local part, and a mail server over it.

``refuse…`` 550, ``later…`` 451 for the first two tries, ``full…`` 452 always, ``slow…`` nothing until
``patient`` is set; anything else 250.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP

from mailserver.base import Endpoint, Envelope, Hop, HopKind, ImapLogin, RecipientReply
from mailserver.listening import Listening, listen
from mailserver.smtp_client import Pool, Recipient, Target, Transaction, deliver


@dataclass
class Taken:
    mail_from: str
    recipients: list[str]
    data: bytes


@dataclass
class Sink:
    taken: list[Taken] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    down: bool = False
    patient: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    server: Listening | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.tries[address] += 1
        local = address.partition("@")[0]
        if self.down:
            return "451 4.3.0 down"
        if local.startswith("refuse"):
            return "550 5.1.1 no such person"
        if local.startswith("full") or (local.startswith("later") and self.tries[address] <= 2):
            return "452 4.2.2 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if any(one.startswith("slow") for one in envelope.rcpt_tos):
            await self.patient.wait()
        self.taken.append(Taken(envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 2.0.0 taken"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await listen(
            lambda: SMTP(self, hostname="sink.test", loop=loop, enable_SMTPUTF8=False), "127.0.0.1", 0
        )
        self.port = self.server.port

    async def stop(self) -> None:
        assert self.server is not None
        await self.server.close()

    def copies(self, address: str) -> list[bytes]:
        return [one.data for one in self.taken if address in one.recipients]


class SinkMail:
    """A mail server whose every hop ends in the sink. Domains of ``local`` are ours."""

    name = "sink"
    has_push = False

    def __init__(self, sink: Sink, local: Sequence[str] = ("x.test",), smarthost: bool = False) -> None:
        self.sink, self.local, self.smarthost = sink, set(local), smarthost
        self.pool = Pool("mail.x.test", width=64)

    def is_local(self, address: str) -> bool:
        return address.rpartition("@")[2].lower() in self.local

    def sent_address(self, address: str) -> str:
        local, _, domain = address.partition("@")
        return f"{local}+sent-secret@{domain}"

    def imap_login(self, address: str) -> ImapLogin:
        return ImapLogin(Endpoint("127.0.0.1", 1), address, "none")

    def plan(self, recipients: Sequence[str]) -> list[Hop]:
        groups: dict[tuple[HopKind, str], list[str]] = {}
        for one in recipients:
            if self.is_local(one):
                key: tuple[HopKind, str] = ("lmtp", "local")
            elif self.smarthost:
                key = ("smarthost", "relay")
            else:
                key = ("mx", one.rpartition("@")[2])
            groups.setdefault(key, []).append(one)
        return [Hop(kind, key, tuple(people)) for (kind, key), people in groups.items()]

    async def transmit(self, hop: Hop, envelope: Envelope) -> Mapping[str, RecipientReply]:
        job = Transaction(envelope.mail_from, [Recipient(one) for one in hop.recipients], envelope.data)
        return await deliver(self.pool, Target("127.0.0.1", self.sink.port, name=hop.key), job)

    async def was_submitted(self, envelope: Envelope) -> bool:
        sent = self.sent_address(envelope.sender)
        return any(envelope.message_id.encode() in one for one in self.sink.copies(sent))

    async def close(self) -> None:
        await self.pool.close()
