"""One conversation with an MTA: one or more messages that one client hands in."""

from __future__ import annotations

import asyncio
import logging

from mailserver.embedded.wire import CLAIMING
from mailserver.milter import protocol as wire
from mailserver.milter.mail import Claim, Filter, Mail, Verdict

log = logging.getLogger(__name__)

LARGE = 1024 * 1024
"""Octets from which on a message waits until no other large one is held."""

_IDLE = 1800.0  # between two packets: a client may take as long as smtpd_timeout between its commands
_TRANSFER = 60.0  # within a message the MTA has it all and only passes it on


class Connection:
    """Reads packets until the MTA says goodbye. ``largest`` is in octets; more of a message is not kept."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        judge: Filter,
        large: asyncio.Semaphore,
        largest: int,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._filter = judge
        self._large = large
        self._largest = largest
        self._holds_large = False
        self._agreement: wire.Agreement | None = None
        self._client = ("", "")
        self._helo = ""
        self._macros: dict[bytes, dict[str, str]] = {}
        self._mail: Mail | None = None
        self._cut = False
        self._receiving = False

    async def run(self) -> None:
        """Until the end. Raises ProtocolError, TimeoutError, OSError, IncompleteReadError."""
        try:
            while True:
                async with asyncio.timeout(_TRANSFER if self._receiving else _IDLE):
                    header = await self._reader.readexactly(5)
                    data = await self._reader.readexactly(wire.length_of(header[:4]))
                command = header[4:]
                if command == wire.QUIT:
                    return
                await self._take(command, data)
        finally:
            self._forget()

    async def _take(self, command: bytes, data: bytes) -> None:
        if command == wire.NEGOTIATE:
            self._agreement = wire.Agreement(data)
            await self._say(self._agreement.answer())
            return
        if self._agreement is None:
            raise wire.ProtocolError(f"{command!r} before the negotiation")
        answer = wire.packet(wire.CONTINUE)
        if command == wire.MACROS:
            stage, found = wire.macros(data)
            self._macros[stage] = found
        elif command == wire.CONNECT:
            self._client = wire.client_of(data)
        elif command == wire.HELO:
            self._helo = wire.text(data.rstrip(b"\0"))
        elif command == wire.MAIL:
            answer = self._begin(data)
        elif command in (wire.ABORT, wire.QUIT_NEW_CONNECTION):
            self._forget()
            if command == wire.QUIT_NEW_CONNECTION:
                self._macros, self._helo, self._client = {}, "", ("", "")
        elif command == wire.HEADER:
            await self._field(data, self._agreement)
        elif command == wire.END_OF_HEADERS:
            await self._keep(b"\r\n")
        elif command == wire.BODY:
            await self._keep(data)
        elif command == wire.END_OF_BODY:
            await self._keep(data)
            answer = await self._end(self._agreement)
        if self._agreement.wants_answer(command):
            await self._say(answer)

    def _begin(self, data: bytes) -> bytes:
        self._forget()
        # sent anew with each MAIL, when there is a login: never one of an earlier message
        login = self._macros.get(wire.MAIL, {}).get("auth_authen", "")
        if self._filter.passes(login):
            return wire.packet(wire.ACCEPT)
        sender = wire.text((wire.strings(data) or [b""])[0])
        client, address = self._client
        self._mail = Mail(
            client=client,
            address=address,
            helo=self._helo,
            mail_from=sender.removeprefix("<").removesuffix(">"),
            login=login,
        )
        return wire.packet(wire.CONTINUE)

    async def _field(self, data: bytes, agreement: wire.Agreement) -> None:
        self._receiving = True
        name, field = wire.field_of(data, agreement)
        lowered = name.lower()
        if self._mail is not None and lowered in CLAIMING:
            claims = self._mail.claims
            before = next((one.occurrence for one in reversed(claims) if one.name == lowered), 0)
            claims.append(Claim(lowered, before + 1, field))
        await self._keep(field)

    async def _keep(self, octets: bytes) -> None:
        mail = self._mail
        if mail is None or self._cut:
            return
        size = len(mail.data) + len(octets)
        if size > self._largest:
            self._cut = True
            mail.data.clear()
            return
        if size > LARGE and not self._holds_large:
            await self._large.acquire()
            self._holds_large = True
        mail.data += octets

    async def _end(self, agreement: wire.Agreement) -> bytes:
        mail = self._mail
        if mail is None:
            return wire.packet(wire.ACCEPT)
        ids = (self._macros.get(stage, {}).get("i") for stage in (wire.END_OF_BODY, wire.DATA, wire.MAIL))
        mail.queue_id = next((one for one in ids if one), "")
        try:
            verdict = await self._verdict(mail)
        finally:
            self._forget()
        if verdict.refuse:
            return wire.refusal(verdict.refuse)
        # from the last to the first: whoever counts those already deleted and whoever does not both find them
        edits = [wire.deleted(one.name, one.occurrence) for one in reversed(verdict.drop)]
        if verdict.top:
            edits.append(wire.inserted(verdict.top, agreement))
        return b"".join([*edits, wire.packet(wire.ACCEPT)])

    async def _verdict(self, mail: Mail) -> Verdict:
        if self._cut:
            log.warning("%s is larger than %d octets: not looked at", mail.queue_id, self._largest)
        else:
            try:
                return await self._filter.judge(mail)
            except Exception:
                log.exception("%s could not be judged", mail.queue_id)
        if mail.login:
            return Verdict(refuse="451 4.3.0 the message cannot be signed now, try again later")
        return Verdict()

    def _forget(self) -> None:
        """End of a message; the client, its HELO and the connection's macros stay."""
        self._mail = None
        self._cut = self._receiving = False
        if self._holds_large:
            self._holds_large = False
            self._large.release()

    async def _say(self, answer: bytes) -> None:
        self._writer.write(answer)
        await self._writer.drain()
