"""A core whose mail for the outside goes through a relay that behaves as a given provider does."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from gateway.core.sending.relay_events import RelayNews
from gateway.core.sending.send import SendRequest, send
from gateway.records.folders import FoundCopy
from gateway.records.inboxes import Inbox
from gateway.store import index
from mailserver.base import Envelope, Hop, RecipientReply
from mailserver.smtp_client import Recipient, Target, Transaction, deliver
from tests.outbox.running_outbox import SCOPE, RunningOutbox, running_outbox
from tests.outbox.sink import Sink, SinkMail

SECRET = "hook-secret"
SES_HOST = "email-smtp.eu-west-1.amazonaws.com"


class RelayMail(SinkMail):
    """A mail server whose smarthost is called ``host`` and answers what ``answer`` says."""

    def __init__(self, sink: Sink, host: str, answer: str) -> None:
        super().__init__(sink, smarthost=True)
        self.host, self.answer = host, answer

    async def transmit(self, hop: Hop, envelope: Envelope) -> Mapping[str, RecipientReply]:
        job = Transaction(envelope.mail_from, [Recipient(one) for one in hop.recipients], envelope.data)
        said = await deliver(self.pool, Target("127.0.0.1", self.sink.port, name=self.host), job)
        if hop.kind != "smarthost" or not self.answer:
            return said
        return {one: RecipientReply(250, "2.0.0", self.answer, self.host) for one in said}


class Relay:
    """A running with an inbox, and shorthands."""

    def __init__(self, made: RunningOutbox, inbox: Inbox) -> None:
        self.running = made
        self.core = made.core
        self.inbox = inbox
        self.news = RelayNews(made.core)
        self._uid = 0

    async def send(self, *to: str, **fields: Any) -> str:
        """The ULID of a message that the relay has taken."""
        request = SendRequest(to=to or ("bob@world.test",), subject="s", text="t", **fields)
        sent = await send(self.core, SCOPE, self.inbox, request)
        await self.running.settled(sent.message_id)
        return sent.message_id

    def relayed(self, ulid: str) -> bytes:
        """What the relay was handed."""
        (found,) = [
            one.data
            for one in self.running.sink.taken
            if f"msg_{ulid}@".encode() in head_of(one.data, b"Message-ID")
            and not any("+sent-" in person for person in one.recipients)
        ]
        return found

    async def receive(
        self, in_reply_to: str, references: str = "", message_id: str = "<r1@world.test>"
    ) -> str:
        """An answer from the world; answers the id of its thread."""
        raw = (
            "Return-Path: <bob@world.test>\r\nReceived: from world.test; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
            f"From: bob@world.test\r\nTo: agent@x.test\r\nSubject: Re: s\r\nMessage-ID: {message_id}\r\n"
            f"In-Reply-To: {in_reply_to}\r\nReferences: {references or in_reply_to}\r\n\r\nyes\r\n"
        ).encode()
        parsed = await self.core.parser.parse(raw)
        self._uid += 1
        copy = FoundCopy(1, "inbox", "INBOX", self._uid, (), 1)
        done = await self.core.store.write(lambda tx: index.index_found(tx, self.inbox, copy, parsed))
        assert done is not None
        return done.thread_id

    async def thread_of(self, ulid: str) -> str:
        return str(await self.running.value("SELECT thread_id FROM message WHERE id = ?", ulid))

    async def kinds(self, ulid: str) -> list[str]:
        return [kind for kind, _ in await self.running.events(ulid)]


def head_of(data: bytes, name: bytes) -> bytes:
    """The value of a header field, unfolded."""
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    found = re.search(rb"(?im)^" + re.escape(name) + rb":[ \t]*([^\r\n]*)", head)
    return found[1] if found else b""


@asynccontextmanager
async def relay(path: Path, profile: str, *, answer: str = "", **mail: Any) -> AsyncIterator[Relay]:
    """``answer``: what the relay says with its 250; ``mail``: settings of that section."""
    host = SES_HOST if profile == "ses" else "relay.test"
    wanted = {"smarthost": f"{host}:587", "smarthost_hook_secret": SECRET} | mail
    async with running_outbox(path, mail=lambda sink: RelayMail(sink, host, answer)) as made:
        settings = made.core.settings
        section = msgspec.structs.replace(settings.mail, smarthost_profile=profile, **wanted)
        core = dataclasses.replace(made.core, settings=msgspec.structs.replace(settings, mail=section))
        yield Relay(dataclasses.replace(made, core=core), await made.inbox())
