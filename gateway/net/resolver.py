"""DNS look-ups that answer with a value instead of an exception.

One :class:`Resolver` serves the whole process: answers are cached for their TTL, equal questions asked at the
same time share one query, and a cap keeps a burst from flooding the name server. The hosts file is read once, at
construction, because operators name private endpoints there. Build the resolver before the event loop runs (it
reads /etc/resolv.conf and /etc/hosts).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

_SHUT = ("127.0.0.1", "::1")


class Outcome(StrEnum):
    """How a look-up ended."""

    OK = "ok"
    NO_NAME = "no_name"  # NXDOMAIN: the name does not exist (RFC 8020)
    NO_DATA = "no_data"  # the name exists, without such a record (RFC 2308 §2.2)
    BAD_NAME = "bad_name"  # cannot be asked: label or name too long, empty label
    FAILED = "failed"  # SERVFAIL, time-out, no name server: try again later


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to one question.

    Attributes:
        outcome: records are present only with ``OK``.
        records: dnspython rdata of the asked type, aliases followed.
        reason: why there are none, for logs and users.
    """

    outcome: Outcome
    records: tuple[dns.rdata.Rdata, ...] = ()
    reason: str = ""

    @property
    def temporary(self) -> bool:
        """The question could not be answered now; nothing is known about the name."""
        return self.outcome is Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Addresses:
    """The IP addresses of a host, IPv6 and IPv4, as text; empty unless ``outcome`` is OK."""

    outcome: Outcome
    found: tuple[str, ...] = ()
    reason: str = ""


class Resolver:
    """Cached asynchronous DNS.

    Args:
        nameservers: IP addresses to ask; None takes the machine's.
        port: their UDP and TCP port.
        lifetime: seconds for one question, retries included.
        concurrency: how many questions may be open at once.
        hosts_file: names known without DNS; None for none.
    """

    def __init__(
        self,
        nameservers: Sequence[str] | None = None,
        *,
        port: int = 53,
        lifetime: float = 5.0,
        concurrency: int = 128,
        cache_size: int = 10_000,
        hosts_file: Path | None = Path("/etc/hosts"),
    ) -> None:
        self._resolver = _make(nameservers, port)
        self._resolver.lifetime = lifetime
        self._resolver.timeout = min(2.0, lifetime)
        self._resolver.cache = dns.resolver.LRUCache(cache_size)
        self._backend = dns.asyncbackend.get_backend("asyncio")
        self._slots = asyncio.Semaphore(concurrency)
        self._open: dict[tuple[str, str], asyncio.Task[Lookup]] = {}
        self._hosts = read_hosts(hosts_file) if hosts_file is not None else {}

    async def lookup(self, name: str, rdtype: str) -> Lookup:
        """Ask for ``name``'s records of type ``rdtype`` (``"MX"``, ``"TXT"`` …). Never raises for DNS trouble."""
        key = (name.lower().removesuffix("."), rdtype)
        task = self._open.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(*key), name=f"dns {rdtype} {name}")
            self._open[key] = task
            task.add_done_callback(lambda _: self._open.pop(key, None))
        # shielded: one caller's time-out must not take the answer from the others
        return await asyncio.shield(task)

    async def addresses(self, host: str) -> Addresses:
        """Find the addresses of ``host``: an IP address is its own answer, then the hosts file, then A and AAAA."""
        try:
            return Addresses(Outcome.OK, (str(ipaddress.ip_address(host)),))
        except ValueError:
            pass
        name = host.lower().removesuffix(".")
        if name in self._hosts:
            return Addresses(Outcome.OK, self._hosts[name])
        if name == "localhost" or name.endswith(".localhost"):
            return Addresses(Outcome.OK, _SHUT)  # RFC 6761 §6.3: never asked of DNS
        six, four = await asyncio.gather(self.lookup(name, "AAAA"), self.lookup(name, "A"))
        found = tuple(record.to_text() for answer in (six, four) for record in answer.records)
        if found:
            return Addresses(Outcome.OK, found)
        worst = six if six.temporary else four
        return Addresses(worst.outcome, (), worst.reason)

    async def texts(self, name: str) -> tuple[Outcome, tuple[bytes, ...]]:
        """The TXT records of ``name``, each with its strings joined (RFC 7208 §3.3)."""
        answer = await self.lookup(name, "TXT")
        return answer.outcome, tuple(b"".join(one.strings) for one in answer.records if isinstance(one, TXT))

    async def mail_hosts(self, domain: str) -> tuple[Outcome, tuple[tuple[int, str], ...]]:
        """The MX records of ``domain`` as (preference, host), best first; host "." is a null MX (RFC 7505)."""
        answer = await self.lookup(domain, "MX")
        hosts = [
            (one.preference, one.exchange.to_text(omit_final_dot=one.exchange != dns.name.root))
            for one in answer.records
            if isinstance(one, MX)
        ]
        return answer.outcome, tuple(sorted(hosts))

    def forget(self) -> None:
        """Empty the cache, so that "check my records again" sees what is published now."""
        cache = self._resolver.cache
        if cache is not None:
            cache.flush()

    async def _ask(self, name: str, rdtype: str) -> Lookup:
        try:
            async with self._slots:
                answer = await self._resolver.resolve(
                    dns.name.from_text(name), rdtype, search=False, backend=self._backend
                )
            return Lookup(Outcome.OK, tuple(answer.rrset or ()))
        except dns.resolver.NXDOMAIN:
            return Lookup(Outcome.NO_NAME, reason="the name does not exist")
        except dns.resolver.NoAnswer:
            return Lookup(Outcome.NO_DATA, reason=f"the name has no {rdtype} record")
        except (dns.name.NameTooLong, dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.IDNAException):
            return Lookup(Outcome.BAD_NAME, reason="not a valid DNS name")
        except dns.exception.Timeout:
            return Lookup(Outcome.FAILED, reason="the name servers did not answer in time")
        except (dns.resolver.NoNameservers, dns.resolver.YXDOMAIN):
            return Lookup(Outcome.FAILED, reason="the name servers could not answer")
        except (dns.exception.DNSException, OSError, EOFError) as exc:
            return Lookup(Outcome.FAILED, reason=f"DNS look-up failed ({type(exc).__name__})")


def read_hosts(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read a hosts file (hosts(5)) into name → addresses; a missing file is an empty one."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    names: dict[str, list[str]] = {}
    for line in lines:
        address, *aliases = line.partition("#")[0].split() or [""]
        try:
            ip = str(ipaddress.ip_address(address))
        except ValueError:
            continue
        for alias in aliases:
            known = names.setdefault(alias.lower().removesuffix("."), [])
            if ip not in known:
                known.append(ip)
    return {name: tuple(found) for name, found in names.items()}


def _make(nameservers: Sequence[str] | None, port: int) -> dns.asyncresolver.Resolver:
    if nameservers is None:
        try:
            made = dns.asyncresolver.Resolver(configure=True)
            made.port = port
            return made
        except dns.resolver.NoResolverConfiguration:
            # no resolv.conf: every look-up then ends as FAILED, and the gateway still starts
            nameservers = ()
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers = list(nameservers)
    made.port = port
    return made
