"""The MX of the embedded server: mail from the world, answered 250 only after Dovecot's LMTP said 250.

Dovecot's LMTP knows no internationalised addresses (RFC 6531): it is given them in ASCII, and our Received field has
what the sender was called.

There is no queue here. A message for several mailboxes of which one failed for now is answered 451; delivery
remembers who already has it, so that the sender's retry stores it only where it is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from mailserver.addresses import is_sent_copy, names_of
from mailserver.base import MailServerError, RecipientReply
from mailserver.content import Content
from mailserver.embedded import wire
from mailserver.embedded.authentication.verifier import Verifier
from mailserver.embedded.data_reader import NO_ROOM
from mailserver.embedded.local import LocalDelivery
from mailserver.embedded.settings import Limits
from mailserver.international import ascii_sender
from mailserver.memory import NoMemory
from mailserver.smtp_connection import fits_envelope


class Receiver:
    """aiosmtpd handler of the public listener."""

    def __init__(
        self,
        delivery: LocalDelivery,
        is_local: Callable[[str], bool],
        has_domain: Callable[[str], bool],
        look_again: Callable[[], Awaitable[None]],
        hostname: str,
        limits: Limits,
        verifier: Verifier | None = None,
    ) -> None:
        self._delivery = delivery
        self._is_local = is_local
        self._has_domain = has_domain
        self._look_again = look_again
        self._hostname = hostname
        self._limits = limits
        self._verifier = verifier

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        kept = [line for line in responses if not line[4:].startswith(("AUTH", "HELP"))]
        return [*kept, "250 ENHANCEDSTATUSCODES"]

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        try:
            storable = fits_envelope(ascii_sender(address)) or address == "<>"
        except MailServerError:
            storable = False
        if not storable:
            return "553 5.1.7 bad sender address syntax"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= self._limits.recipients:
            return "452 4.5.3 too many recipients, send the others in another transaction"
        names = names_of(address)
        if not names:
            return "501 5.1.3 bad recipient address syntax"
        if not self._is_local(address):
            await self._look_again()
        if not self._has_domain(names[0].rpartition("@")[2]):
            return "554 5.7.1 relay access denied"
        if not self._is_local(address) or is_sent_copy(address):
            return "550 5.1.1 no such mailbox here"
        if address not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        content: Content = envelope.content
        head = await asyncio.to_thread(wire.head_of, content) if content.on_disk else wire.head_of(content)
        if wire.hops(head.fields) > self._limits.hops:
            return "554 5.4.6 too many hops, the message loops"
        given = "" if envelope.mail_from == "<>" else envelope.mail_from
        mail_from = ascii_sender(given)
        peer = session.peer[0] if session.peer else "unknown"
        queue_id = secrets.token_hex(6)
        sender = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
        checked = b""
        if self._verifier is not None:
            try:
                checked = await self._verifier.field(content, peer, session.host_name or "", mail_from)
            except NoMemory:
                return NO_ROOM
        message = wire.completed(
            content,
            head,
            checked=checked,
            digest=envelope.digest,
            hostname=self._hostname,
            received=wire.received_field(
                helo=session.host_name or "",
                peer=peer,
                hostname=self._hostname,
                protocol=_protocol(session, envelope),
                recipient=envelope.rcpt_tos[0] if len(envelope.rcpt_tos) == 1 else None,
                queue_id=queue_id,
                sender=given if given != mail_from else None,
            ),
        )
        answers = await self._delivery.to_inbox(
            mail_from, envelope.rcpt_tos, message, sender + envelope.digest
        )
        return _verdict(answers, queue_id)


def _verdict(answers: dict[str, RecipientReply], queue_id: str) -> str:
    failed = {address: reply for address, reply in answers.items() if not reply.ok}
    if not failed:
        return f"250 2.0.0 OK: stored as {queue_id}"
    if len(failed) < len(answers):
        return "451 4.3.0 not all recipients could be stored, try again later"
    worst = min(failed.values(), key=lambda reply: reply.code)  # a 4xx keeps the mail at the sender
    text = worst.text.removeprefix(worst.status).strip().replace("\r", " ").replace("\n", " ")
    return f"{worst.code} {worst.status} {text}"


def _protocol(session: Any, envelope: Any) -> str:
    """RFC 3848 and RFC 6531 §4.3 names."""
    base = "UTF8SMTP" if envelope.smtp_utf8 else "ESMTP" if session.extended_smtp else "SMTP"
    return base + ("S" if session.ssl and base != "SMTP" else "")
