"""Checking a URL that a user gave us, for a webhook or for an attachment to fetch.

The answer is taken apart and rebuilt, so that the HTTP client is never asked to read the user's text with rules
of its own. Names are judged here only by their form; where they lead is judged on the connected address
(:mod:`gateway.net.client`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

import idna

from gateway.net.address_rules import AddressRules
from gateway.net.errors import TargetRefused, UrlRefused

MAX_URL = 2048
"""Longest URL accepted, in characters."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
# Services that act on the first lines they are sent, whatever those are: a POST there is a command.
_FOREIGN_PORTS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 24, 25, 37, 42, 43, 53, 69, 79, 87, 95, 101, 109, 110, 111}
    | {
        113,
        119,
        123,
        135,
        137,
        139,
        143,
        161,
        179,
        389,
        427,
        445,
        465,
        512,
        513,
        514,
        515,
        532,
        548,
        554,
        563,
    }
    | {587, 601, 636, 993, 995, 1719, 1720, 1723, 2049, 3306, 4190, 5060, 5061, 5432, 6000, 6379, 6566}
    | {6665, 6666, 6667, 6668, 6669, 6697, 9042, 11211, 27017}
)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class SafeUrl:
    """A checked URL in parts, all ASCII; ``str()`` gives it back whole.

    Attributes:
        host: a lower-case name (IDN as A-labels, no trailing dot) or an IP address without brackets.
        path: percent-encoded, starts with a slash.
        query: percent-encoded, without the question mark.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if _DEFAULT_PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}" + (f"?{self.query}" if self.query else "")


@lru_cache(maxsize=4096)
def check_url(text: str, addresses: AddressRules, allow_http: bool = False) -> SafeUrl:
    """Check and normalise a URL; a fragment is dropped (RFC 9110 §4.2.5: never sent).

    Raises:
        UrlRefused: the URL is unusable; the message says what to change.
        TargetRefused: the host is an IP address, or a localhost name, that requests may not reach.
    """
    if not text:
        raise UrlRefused("the URL is empty")
    if len(text) > MAX_URL:
        raise UrlRefused(f"the URL is longer than {MAX_URL} characters")
    if _UNSAFE.search(text):
        raise UrlRefused("the URL holds a space, a control character or a backslash: percent-encode it")
    try:
        parts = urlsplit(text)
        # netloc is read by urlsplit up to the first of "/?#", the same boundary as RFC 3986 §3.2
        authority, port = parts.netloc, parts.port
        host = parts.hostname or ""
    except ValueError:
        raise UrlRefused("the URL cannot be read: check the host and the port") from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlRefused("the URL must start with https://")
    if scheme == "http" and not allow_http:
        raise UrlRefused("plain http is not allowed on this server: use an https:// URL")
    if "@" in authority:
        raise UrlRefused("the URL must not hold a user name or password: send a secret in a header instead")
    if port is None:
        port = _DEFAULT_PORTS[scheme]
    if port == 0 or port in _FOREIGN_PORTS:
        raise UrlRefused(
            f"port {port} is not a web server's port: use another, such as {_DEFAULT_PORTS[scheme]}"
        )
    host = _host(host, addresses)
    try:
        path = quote(parts.path, safe=_PATH_SAFE) or "/"
        query = quote(parts.query, safe=_PATH_SAFE + "?")
    except UnicodeEncodeError:
        raise UrlRefused("the URL holds characters that are not Unicode text") from None
    return SafeUrl(scheme, host, port, path, query)


def _host(host: str, addresses: AddressRules) -> str:
    """Return the ASCII form of ``host``, judged where it is an address."""
    if not host:
        raise UrlRefused("the URL has no host: write https://host.example/path")
    if ":" in host:
        return _literal(host, addresses)
    name = _ascii(host)
    # A resolver would read "2130706433", "0x7f.1" or "0177.0.0.1" as an address; so would WHATWG URL parsers.
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _literal(name, addresses)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise UrlRefused("the host name is not valid")
    if (name == "localhost" or name.endswith(".localhost")) and not addresses.permits("127.0.0.1"):
        raise TargetRefused("the URL points at this machine itself (RFC 6761): give a public host")
    return name


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower().removesuffix(".")
    try:
        # UTS 46 also folds full-width digits and ideographic dots, so it runs before the search for addresses.
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        return (mapped if mapped.isascii() else idna.encode(mapped).decode("ascii")).lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        raise UrlRefused("the international host name is not valid: write it in its xn-- form") from None


def _literal(host: str, addresses: AddressRules) -> str:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise UrlRefused(
            "the host is a number but not an IP address: write it as 192.0.2.1 or [2001:db8::1]"
        ) from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        raise UrlRefused("an IPv6 address in a URL must not name a zone")
    why = addresses.refusal(ip)
    if why is not None:
        raise TargetRefused(f"the URL points at an address that is not reachable from here: {why}")
    return str(ip)
