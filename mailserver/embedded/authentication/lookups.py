"""What the checks of one message ask of DNS: each name once, in bounded time and number."""

from __future__ import annotations

import time

import dns.exception
import dns.message
import dns.name
import dns.resolver

SECONDS = 7.0
"""How long a message's lookups take together: its results are written before the deadline of the whole check."""
_MOST = 200
_LABEL = 63
_NAME = 253


class Unanswered(Exception):
    """The name servers did not answer, or not in time. It may go well later."""


class Lookups:
    """Used by one thread, for one message."""

    def __init__(
        self, resolver: dns.resolver.Resolver, *, seconds: float = SECONDS, most: int = _MOST
    ) -> None:
        self._resolver = resolver
        self._end = time.monotonic() + seconds
        self._left = most
        self._known: dict[tuple[str, str], dns.resolver.Answer | Unanswered | None] = {}
        self._missing: set[str] = set()

    def answer(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """The records, None when there are none or ``name`` cannot be a domain name. Raises Unanswered."""
        key = (name.rstrip(".").lower(), kind)
        if key not in self._known:
            try:
                self._known[key] = self._ask(*key)
            except Unanswered as error:
                self._known[key] = error
        known = self._known[key]
        if isinstance(known, Unanswered):
            raise known
        return known

    def texts(self, name: str) -> list[str]:
        """The TXT records, the strings of each joined. Raises Unanswered."""
        found = self.answer(name, "TXT")
        return [b"".join(one.strings).decode("utf-8", "replace") for one in found or ()]

    def exists(self, name: str) -> bool:
        """Whether there is such a name, with records or not (RFC 8020). Raises Unanswered."""
        self.answer(name, "A")
        return name.rstrip(".").lower() not in self._missing

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer | None:
        asked = _domain_name(name)
        if asked is None:
            self._missing.add(name)
            return None
        left = self._end - time.monotonic()
        if left <= 0 or self._left <= 0:
            raise Unanswered("too many or too slow lookups")
        self._left -= 1
        try:
            # one server that does not answer leaves time to ask others
            lifetime = min(self._resolver.lifetime, left / 2)
            return self._resolver.resolve(asked, kind, search=False, lifetime=lifetime)
        except dns.resolver.NXDOMAIN:
            self._missing.add(name)
            return None
        except (dns.resolver.NoAnswer, dns.message.ChainTooLong):  # aliases in a circle lead nowhere
            return None
        except (dns.exception.DNSException, OSError) as error:
            raise Unanswered(type(error).__name__) from error


def _domain_name(name: str) -> dns.name.Name | None:
    """By its labels: in a text of mail a backslash escapes nothing."""
    labels = name.split(".")
    if len(name) > _NAME or not name.isascii() or not all(0 < len(one) <= _LABEL for one in labels):
        return None
    return dns.name.Name([*(one.encode() for one in labels), b""])
