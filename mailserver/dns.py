"""The DNS records a mail domain needs, and asking DNS whether they are published.

MX (RFC 5321 §5.1), SPF (RFC 7208), DKIM (RFC 6376 §3.6), DMARC (RFC 7489 §6.3).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.resolver

RecordStatus = Literal["VALID", "INVALID", "MISSING"]


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """Whom to ask: name servers by address (empty: the system's), their port, seconds for one question."""

    nameservers: tuple[str, ...] = ()
    port: int = 53
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish, and what DNS said of it."""

    type: Literal["MX", "TXT"]
    name: str
    value: str
    priority: int | None = None
    status: RecordStatus = "MISSING"


def records_for(domain: str, *, mail_host: str, dkim_selector: str, dkim_public_key: str) -> list[Record]:
    """What ``domain`` must publish so that ``mail_host`` receives its mail and may send it: MX, SPF, DKIM, DMARC.

    ``dkim_public_key``: base64, the ``p=`` of the record.
    """
    return [
        Record("MX", domain, mail_host, 10),
        Record("TXT", domain, f"v=spf1 mx a:{mail_host} ~all"),
        Record("TXT", f"{dkim_selector}._domainkey.{domain}", f"v=DKIM1; k=rsa; p={dkim_public_key}"),
        Record("TXT", f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"),
    ]


class Checker:
    """Asks DNS afresh at every call; trouble with DNS counts as MISSING and never raises."""

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
        """The same records with their live status."""
        return [
            replace(one, status=status)
            for one, status in zip(
                records, await asyncio.gather(*(self._status(one) for one in records)), strict=True
            )
        ]

    async def _status(self, record: Record) -> RecordStatus:
        found = await self._ask(record.name, record.type)
        if record.type == "MX":
            return _mx_status(found, record.value)
        lines = [b"".join(one.strings).decode("ascii", "replace").strip() for one in found]  # type: ignore[attr-defined]
        if record.value.startswith("v=spf1"):
            return _spf_status(lines, record)
        if record.value.startswith("v=DMARC1"):
            return _dmarc_status(lines)
        return _dkim_status(lines, record.value)

    async def _ask(self, name: str, type: str) -> list[dns.rdata.Rdata]:
        try:
            answer = await self._resolver.resolve(dns.name.from_text(name), type, search=False)
        except (dns.exception.DNSException, OSError, EOFError):
            return []
        return list(answer.rrset or ())


def _mx_status(found: Sequence[dns.rdata.Rdata], wanted: str) -> RecordStatus:
    """Ours must be the best one, or mail goes elsewhere first."""
    if not found:
        return "MISSING"
    best = min(one.preference for one in found)  # type: ignore[attr-defined]
    hosts = {
        one.exchange.to_text(omit_final_dot=True).lower()  # type: ignore[attr-defined]
        for one in found
        if one.preference == best  # type: ignore[attr-defined]
    }
    return "VALID" if wanted.lower().rstrip(".") in hosts else "INVALID"


def _policies(lines: Sequence[str], tag: str) -> list[str]:
    return [line for line in lines if re.match(rf"{tag}(?:[\s;]|$)", line, re.IGNORECASE)]


def _spf_status(lines: Sequence[str], record: Record) -> RecordStatus:
    policies = _policies(lines, "v=spf1")
    if not policies:
        return "MISSING"
    if len(policies) > 1:
        return "INVALID"  # RFC 7208 §4.5: several are a permanent error
    terms = [term.lower() for term in policies[0].split()[1:]]
    if {"all", "+all"} & set(terms):
        return "INVALID"  # lets anyone send
    ours = {term.lower() for term in record.value.split()[1:]} - {"~all"}
    named = {term.removeprefix("+") for term in terms}
    return "VALID" if named & (ours | {f"mx:{record.name}", f"a:{record.name}"}) else "INVALID"


def _dkim_status(lines: Sequence[str], wanted: str) -> RecordStatus:
    keys = [tags for line in lines if "p" in (tags := _tags(line))]
    if not keys:
        return "MISSING"
    mine = _tags(wanted)
    for tags in keys:
        if tags["p"] and tags["p"] == mine["p"] and tags.get("k", "rsa").lower() == mine.get("k", "rsa"):
            return "VALID"
    return "INVALID"


def _dmarc_status(lines: Sequence[str]) -> RecordStatus:
    policies = _policies(lines, "v=DMARC1")
    if not policies:
        return "MISSING"
    if len(policies) > 1:
        return "INVALID"  # RFC 7489 §6.6.3: several are none
    known = ("none", "quarantine", "reject")
    return "VALID" if _tags(policies[0]).get("p", "").lower() in known else "INVALID"


def _tags(text: str) -> dict[str, str]:
    """A tag-list (RFC 6376 §3.2); white space inside values goes."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip().lower(): re.sub(r"\s+", "", value) for name, _, value in pairs}
