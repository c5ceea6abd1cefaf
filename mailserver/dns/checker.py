"""Asking DNS what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.resolver

from mailserver.dns.judging import status_of, text_of, texts_of
from mailserver.dns.record import Record, RecordStatus


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """Whom to ask: name servers by address (empty: the system's), their port, seconds for one question."""

    nameservers: tuple[str, ...] = ()
    port: int = 53
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``answered`` False: nobody said whether there are any."""

    records: tuple[dns.rdata.Rdata, ...] = ()
    answered: bool = True


class Checker:
    """Asks DNS afresh at every call; trouble with DNS counts as MISSING (and not ``answered``) and never raises."""

    def __init__(self, settings: ResolverSettings) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not settings.nameservers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if settings.nameservers:
            self._resolver.nameservers = list(settings.nameservers)
        self._resolver.port = settings.port
        self._resolver.lifetime = settings.timeout
        self._resolver.timeout = settings.timeout

    async def check(self, records: Sequence[Record]) -> list[Record]:
        """The same records with their live status and what was found."""
        return list(await asyncio.gather(*(self._checked(one) for one in records)))

    async def addresses(self, host: str) -> tuple[set[str], bool]:
        """The IPv4 and IPv6 addresses of a host, and whether DNS answered."""
        answers = await asyncio.gather(self.ask(host, "A"), self.ask(host, "AAAA"))
        found = {one.to_text() for answer in answers for one in answer.records}
        return found, bool(found) or all(answer.answered for answer in answers)

    async def ask(self, name: str, type: str) -> Answer:
        """One question."""
        try:
            answer = await self._resolver.resolve(dns.name.from_text(name), type, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer()
        except (dns.exception.DNSException, OSError, EOFError):
            return Answer(answered=False)
        return Answer(tuple(answer.rrset or ()))

    async def _checked(self, record: Record) -> Record:
        if record.purpose == "web_name":
            return await self._same_place(record)
        answer = await self.ask(record.name, record.type)
        texts = texts_of(answer.records) if record.type == "TXT" else map(text_of, answer.records)
        return replace(
            record,
            status=status_of(record, answer.records),
            found=tuple(texts),
            answered=answer.answered,
        )

    async def _same_place(self, record: Record) -> Record:
        """An alias or addresses: both do, when they lead to the same machine."""
        (found, answered), (wanted, known) = await asyncio.gather(
            self.addresses(record.name), self.addresses(record.value)
        )
        status: RecordStatus = "MISSING" if not found else "VALID" if found & wanted else "INVALID"
        return replace(record, status=status, found=tuple(sorted(found)), answered=answered and known)
