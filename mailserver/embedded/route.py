"""Where mail for a domain goes: MX, A/AAAA fallback, null MX (RFC 5321 §5.1, RFC 7505)."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from mailserver.embedded.settings import Resolver
from mailserver.smtp_client import Reply

_MAX_HOSTS = 10
_MAX_ADDRESSES = 4


class NoRoute(Exception):
    """The domain cannot be reached; ``reply`` says whether ever."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, (text,))


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    address: str


def make_resolver(settings: Resolver) -> dns.asyncresolver.Resolver:
    """A caching resolver. Blocks (reads /etc/resolv.conf) when no name servers are given."""
    resolver = dns.asyncresolver.Resolver(configure=not settings.nameservers)
    _set_up(resolver, settings)
    return resolver


def make_blocking_resolver(settings: Resolver) -> dns.resolver.Resolver:
    """The same for threads."""
    resolver = dns.resolver.Resolver(configure=not settings.nameservers)
    _set_up(resolver, settings)
    return resolver


def _set_up(resolver: dns.resolver.BaseResolver, settings: Resolver) -> None:
    if settings.nameservers:
        resolver.nameservers = list(settings.nameservers)
        resolver.port = settings.port
    resolver.timeout = settings.timeout / 2
    resolver.lifetime = settings.timeout
    resolver.cache = dns.resolver.LRUCache(10_000)
    resolver.search = []


class Router:
    """Finds the hosts of a domain, best first."""

    def __init__(self, resolver: dns.asyncresolver.Resolver, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private

    async def hosts(self, domain: str) -> list[Host]:
        """Hosts to try in order. Raises NoRoute."""
        names = await self._exchangers(domain)
        found: list[Host] = []
        temporary = refused = False
        for name in names[:_MAX_HOSTS]:
            try:
                addresses = await self._addresses(name)
            except NoRoute as error:
                temporary = temporary or error.reply.code < 500
                continue
            usable = [one for one in addresses if self._allow_private or ipaddress.ip_address(one).is_global]
            refused = refused or len(usable) < len(addresses)
            found += [Host(name, one) for one in usable[:_MAX_ADDRESSES]]
        if found:
            return found
        if temporary:
            raise NoRoute(451, f"4.4.3 name servers of {domain} do not answer")
        if refused:
            raise NoRoute(550, f"5.4.4 {domain} leads to a private address")
        raise NoRoute(550, f"5.4.4 no host of {domain} has an address")

    async def _exchangers(self, domain: str) -> list[str]:
        try:
            answer = await self._resolver.resolve(f"{domain}.", "MX")
        except dns.resolver.NXDOMAIN as error:
            raise NoRoute(550, f"5.1.2 domain {domain} does not exist") from error
        except dns.resolver.NoAnswer:
            return [domain]  # RFC 5321 §5.1: an implicit MX of preference 0
        except (dns.exception.DNSException, OSError) as error:
            raise NoRoute(451, f"4.4.3 name servers of {domain} do not answer") from error
        rows = [(int(one.preference), random.random(), one.exchange) for one in answer]  # noqa: S311
        if len(rows) == 1 and rows[0][2] == dns.name.root:
            raise NoRoute(556, f"5.1.10 domain {domain} takes no mail (RFC 7505)")
        rows.sort(key=lambda row: row[:2])
        return [name.to_text(omit_final_dot=True).lower() for _, _, name in rows if name != dns.name.root]

    async def _addresses(self, name: str) -> list[str]:
        found: list[str] = []
        failed = False
        for kind in ("A", "AAAA"):
            try:
                answer = await self._resolver.resolve(f"{name}.", kind)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                continue
            except (dns.exception.DNSException, OSError):
                failed = True
                continue
            found += [one.address for one in answer]
        if not found and failed:
            raise NoRoute(451, f"4.4.3 no address of {name} for now")
        return found
