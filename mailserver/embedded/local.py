"""Handing mail to Dovecot's LMTP: the only place where the embedded server's mail becomes durable.

Dovecot answers 250 for a recipient after fsync; what it could not do now is a 4xx, so that the sender's queue
keeps the message.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from mailserver.addresses import names_of
from mailserver.base import RecipientReply
from mailserver.content import Octets
from mailserver.international import with_ascii_domain
from mailserver.smtp_client import Pool, Recipient, Target, Transaction, deliver

log = logging.getLogger(__name__)

_DOWN = RecipientReply(451, "4.3.0", "4.3.0 mailbox storage is not available now, try again later", "local")
_FULL = RecipientReply(452, "4.3.1", "4.3.1 insufficient system storage", "local")
_MISSING = RecipientReply(550, "5.1.1", "5.1.1 no such mailbox here", "local")


_STORED = RecipientReply(250, "2.0.0", "2.0.0 stored before", "local")
_REMEMBERED = 1000


def itself(recipient: str) -> tuple[str, ...]:
    """The mailbox that a recipient names."""
    return names_of(recipient)[:1]


class LocalDelivery:
    """LMTP over kept connections, ``width`` at once; knows which mailboxes it is writing to now.

    ``targets`` says which mailboxes take mail to a recipient. An alias of one is left for Dovecot to find, so that
    Delivered-To names it; one of several is taken apart here, and so is one that LMTP cannot name (RFC 6531).
    """

    def __init__(
        self,
        lmtp: Path,
        sent: Path,
        hostname: str,
        width: int,
        targets: Callable[[str], Sequence[str]] = itself,
    ) -> None:
        self._inbox = Target(unix=str(lmtp), lmtp=True, name="dovecot")
        self._sent = Target(unix=str(sent), lmtp=True, name="dovecot")
        self._pool = Pool(hostname, width=width, idle=60.0, uses=10_000)
        self._targets = targets
        self._busy: Counter[str] = Counter()
        self._partly: OrderedDict[bytes, set[str]] = OrderedDict()

    async def to_inbox(
        self, mail_from: str, recipients: Sequence[str], data: Octets, key: bytes = b""
    ) -> dict[str, RecipientReply]:
        """Store a message; answers a reply for each of ``recipients``.

        ``key`` names the message: where some copies could not be stored, another try with it stores only those.
        """
        copies = {one: self._copies(one) for one in recipients}
        stored = self._partly.get(key, set())
        missing = [one for one in dict.fromkeys(chain(*copies.values())) if one not in stored]
        answers = dict.fromkeys(stored, _STORED)
        if missing:
            answers |= await self._send(self._inbox, mail_from, missing, data)
        if key:
            self._remember(key, answers)
        return {one: _of_all([answers[copy] for copy in copies[one]]) for one in recipients}

    def _copies(self, recipient: str) -> Sequence[str]:
        targets, known = self._targets(recipient), with_ascii_domain(recipient)
        return targets if len(targets) > 1 or (targets and not known.isascii()) else (known,)

    def _remember(self, key: bytes, answers: dict[str, RecipientReply]) -> None:
        done = {one for one, reply in answers.items() if reply.ok}
        if not done or len(done) == len(answers):
            self._partly.pop(key, None)
            return
        log.warning("stored %d of %d copies", len(done), len(answers))
        self._partly[key] = done
        while len(self._partly) > _REMEMBERED:
            self._partly.popitem(last=False)

    async def to_sent(self, mail_from: str, recipient: str, data: Octets) -> RecipientReply:
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
        self, target: Target, mail_from: str, recipients: Sequence[str], data: Octets
    ) -> dict[str, RecipientReply]:
        names = [name for one in recipients for name in self._targets(one)]
        self._busy.update(names)
        try:
            job = Transaction(mail_from, [Recipient(one) for one in recipients], data)
            answers = await deliver(self._pool, target, job)
        finally:
            self._busy.subtract(names)
            self._busy += Counter()  # drop the zeros
        return {address: _mapped(reply) for address, reply in answers.items()}


def _of_all(replies: Sequence[RecipientReply]) -> RecipientReply:
    """The reply to the sender of several copies: the least hopeless failure, so that he tries again; before all, that
    one may be there."""
    failed = [one for one in replies if not one.ok]
    return min(failed, key=lambda one: (not one.unknown, one.code), default=replies[0])


def _mapped(reply: RecipientReply) -> RecipientReply:
    """Dovecot's answer in the words the world should read."""
    if reply.ok:
        return reply
    if reply.code in (421, 454) or (reply.code == 451 and reply.status in ("4.4.1", "4.4.2")):
        return replace(_DOWN, unknown=reply.unknown)
    text = reply.text.lower()
    if "no space" in text or "not enough disk" in text or reply.status == "4.3.1":
        return _FULL
    if reply.code == 550 and "doesn't exist" in text:
        return _MISSING
    return reply
