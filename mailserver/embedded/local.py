"""Handing mail to Dovecot's LMTP: the only place where the embedded server's mail becomes durable.

Dovecot answers 250 for a recipient after fsync; what it could not do now is a 4xx, so that the sender's queue
keeps the message.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mailserver.base import RecipientReply
from mailserver.smtp_client import Pool, Recipient, Target, Transaction, deliver

_DOWN = RecipientReply(451, "4.3.0", "4.3.0 mailbox storage is not available now, try again later", "local")
_FULL = RecipientReply(452, "4.3.1", "4.3.1 insufficient system storage", "local")
_MISSING = RecipientReply(550, "5.1.1", "5.1.1 no such mailbox here", "local")


class LocalDelivery:
    """LMTP over kept connections, ``width`` at once; knows which mailboxes it is writing to now."""

    def __init__(self, lmtp: Path, sent: Path, hostname: str, width: int) -> None:
        self._inbox = Target(unix=str(lmtp), lmtp=True, name="dovecot")
        self._sent = Target(unix=str(sent), lmtp=True, name="dovecot")
        self._pool = Pool(hostname, width=width, idle=60.0, uses=10_000)
        self._busy: Counter[str] = Counter()

    async def to_inbox(
        self, mail_from: str, recipients: Sequence[str], data: bytes
    ) -> dict[str, RecipientReply]:
        return await self._send(self._inbox, mail_from, recipients, data)

    async def to_sent(self, mail_from: str, recipient: str, data: bytes) -> RecipientReply:
        answers = await self._send(self._sent, mail_from, [recipient], data)
        return answers[recipient]

    async def quiet(self, mailboxes: Sequence[str], timeout: float = 5.0) -> None:
        """Wait until no delivery to these mailboxes is in progress."""
        deadline = asyncio.get_running_loop().time() + timeout
        while any(self._busy[one] for one in mailboxes):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self._pool.close()

    async def _send(
        self, target: Target, mail_from: str, recipients: Sequence[str], data: bytes
    ) -> dict[str, RecipientReply]:
        names = [_mailbox(one) for one in recipients]
        self._busy.update(names)
        try:
            job = Transaction(mail_from, [Recipient(one) for one in recipients], data)
            answers = await deliver(self._pool, target, job)
        finally:
            self._busy.subtract(names)
            self._busy += Counter()  # drop the zeros
        return {address: _mapped(reply) for address, reply in answers.items()}


def _mailbox(recipient: str) -> str:
    local, _, domain = recipient.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _mapped(reply: RecipientReply) -> RecipientReply:
    """Dovecot's answer in the words the world should read."""
    if reply.ok:
        return reply
    if reply.code in (421, 454) or (reply.code == 451 and reply.status in ("4.4.1", "4.4.2")):
        return _DOWN
    text = reply.text.lower()
    if "no space" in text or "not enough disk" in text or reply.status == "4.3.1":
        return _FULL
    if reply.code == 550 and "doesn't exist" in text:
        return _MISSING
    return reply
