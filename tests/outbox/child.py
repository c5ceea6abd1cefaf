"""A process that runs just the outbox, against a mail server that another process owns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mailserver.base import Endpoint, Envelope, Hop, ImapLogin, RecipientReply
from mailserver.embedded.local import LocalDelivery
from mailserver.imap import Client
from tests.outbox.running_outbox import running_outbox
from tests.support.waiting import until_async


class Borrowed:
    """The local half of the embedded server: the same Dovecot, the same LMTP code."""

    name = "borrowed"
    has_push = False

    def __init__(self, config: Path) -> None:
        self.host, self.port, self.master, self.secret, self.sent, inbox, sent = config.read_text().split(
            "\n"
        )
        self.local = LocalDelivery(Path(inbox), Path(sent), "mail.x.test", 2)
        self.submitted: Any = None

    def imap_login(self, address: str) -> ImapLogin:
        return ImapLogin(Endpoint(self.host, int(self.port)), f"{address}*{self.master}", self.secret)

    def sent_address(self, address: str) -> str:
        return self.sent

    def is_local(self, address: str) -> bool:
        return True

    def plan(self, recipients: list[str]) -> list[Hop]:
        return [Hop("lmtp", "local", tuple(recipients))]

    async def transmit(self, hop: Hop, envelope: Envelope) -> Mapping[str, RecipientReply]:
        answers: dict[str, RecipientReply] = {}
        others = [one for one in hop.recipients if one != self.sent]
        if self.sent in hop.recipients:
            answers[self.sent] = await self.local.to_sent(envelope.mail_from, envelope.sender, envelope.data)
        if others:
            answers |= await self.local.to_inbox(envelope.mail_from, others, envelope.data)
        return answers

    async def was_submitted(self, envelope: Envelope) -> bool:
        def look() -> bool:
            client = Client(self.imap_login(envelope.sender), 10)
            try:
                client.open("Sent", readonly=True)
                return bool(client.find_message_id(envelope.message_id))
            finally:
                client.shutdown()

        return await asyncio.to_thread(look)

    async def close(self) -> None:
        await self.local.close()


async def main(path: Path) -> None:
    async with running_outbox(path, mail=lambda sink: Borrowed(path / "child.ini")) as r:

        async def done() -> bool:
            return not await r.value("SELECT count(*) FROM outbox WHERE state <> 'done'")

        await until_async(done, 60)
