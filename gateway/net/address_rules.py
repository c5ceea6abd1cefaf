"""Which IP addresses an outgoing request may reach.

``ipaddress``'s ``is_global`` is not enough (it is true for multicast, 6to4, local-use NAT64, ``fec0::/10`` and
the 6to4 relay anycast block), so the refused blocks are written out with their reason. For IPv6 the rule is
turned round: only 2000::/3, the space that is given out as global unicast, can be allowed at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Sources: the IANA special-purpose registries (RFC 6890, RFC 8190), RFC 5737 and RFC 9637 (documentation).
_DENIED: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this network (RFC 791)"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.64.0.0/10", "carrier-grade NAT (RFC 6598)"),
    ("127.0.0.0/8", "loopback (RFC 1122)"),
    # The Azure platform channel answers on a public address, from inside only.
    ("168.63.129.16/32", "cloud platform service"),
    ("169.254.0.0/16", "link-local (RFC 3927)"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.0/24", "protocol assignments (RFC 6890)"),
    ("192.0.2.0/24", "documentation (RFC 5737)"),
    ("192.88.99.0/24", "6to4 relay (RFC 7526)"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("198.18.0.0/15", "benchmarking (RFC 2544)"),
    ("198.51.100.0/24", "documentation (RFC 5737)"),
    ("203.0.113.0/24", "documentation (RFC 5737)"),
    ("224.0.0.0/4", "multicast (RFC 5771)"),
    ("255.255.255.255/32", "broadcast (RFC 919)"),
    ("240.0.0.0/4", "reserved (RFC 1112)"),
    ("::1/128", "loopback (RFC 4291)"),
    ("::/128", "unspecified (RFC 4291)"),
    ("::ffff:0:0/96", "IPv4-mapped (RFC 4291)"),
    ("::ffff:0:0:0/96", "IPv4-translated (RFC 2765)"),
    ("::/96", "IPv4-compatible (RFC 4291)"),
    ("64:ff9b::/96", "NAT64 (RFC 6052)"),
    ("64:ff9b:1::/48", "local-use NAT64 (RFC 8215)"),
    ("100::/64", "discard-only (RFC 6666)"),
    ("2001::/32", "Teredo (RFC 4380)"),
    ("2001::/23", "protocol assignments (RFC 2928)"),
    ("2001:db8::/32", "documentation (RFC 3849)"),
    ("2002::/16", "6to4 (RFC 3056)"),
    ("3fff::/20", "documentation (RFC 9637)"),
    ("5f00::/16", "segment routing (RFC 9602)"),
    ("fc00::/7", "unique local (RFC 4193)"),
    ("fe80::/10", "link-local (RFC 4291)"),
    ("fec0::/10", "site-local (RFC 3879)"),
    ("ff00::/8", "multicast (RFC 4291)"),
)
_DENY = tuple((ipaddress.ip_network(block), why) for block, why in _DENIED)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class AddressRules:
    """The rules of one client; immutable and hashable. Build it with :meth:`from_settings`.

    Attributes:
        allow: networks opened in spite of the built-in list (an operator's private endpoints).
        deny: networks closed in addition, stronger than ``allow`` (for example the gateway's own addresses).
        allow_loopback: the development profile: 127.0.0.0/8 and ::1 are open.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    allow_loopback: bool = False

    @classmethod
    def from_settings(
        cls, allow: Iterable[str] = (), *, deny: Iterable[str] = (), allow_loopback: bool = False
    ) -> AddressRules:
        """Read CIDR blocks or single addresses as text.

        Raises:
            ValueError: an entry is not a network; the message names it.
        """
        return cls(_networks(allow), _networks(deny), allow_loopback)

    def refusal(self, address: str | Address) -> str | None:
        """Say why ``address`` may not be reached, in a few words; None when it may."""
        ip = _read(address)
        if ip is None:
            return "not an IP address"
        for network in self.deny:
            if _inside(ip, network):
                return "closed by this server's settings"
        if self._opened(ip):
            # An opened transition block (IPv6-only hosts need 64:ff9b::/96) must not open what it wraps.
            inner = _embedded(ip)
            return None if inner is None else self.refusal(inner)
        for network, why in _DENY:
            if _inside(ip, network):
                return why
        if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_V6:
            return "not global unicast (RFC 4291)"
        return None

    def permits(self, address: str | Address) -> bool:
        """Tell whether ``address`` may be reached."""
        return self.refusal(address) is None

    def _opened(self, ip: Address) -> bool:
        if self.allow_loopback and any(_inside(ip, network) for network in _LOOPBACK):
            return True
        return any(_inside(ip, network) for network in self.allow)


def _networks(entries: Iterable[str]) -> tuple[Network, ...]:
    found: list[Network] = []
    for entry in entries:
        try:
            found.append(ipaddress.ip_network(entry.strip(), strict=False))
        except ValueError:
            raise ValueError(
                f"{entry!r} is not a network: write an address or a block such as 10.1.0.0/16"
            ) from None
    return tuple(found)


def _read(address: str | Address) -> Address | None:
    if not isinstance(address, str):
        return address
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _inside(ip: Address, network: Network) -> bool:
    return ip.version == network.version and ip in network


def _embedded(ip: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address a packet to ``ip`` really ends at, for the forms that carry one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
