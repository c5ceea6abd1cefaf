"""A resolver of the test: answers from a table, and counts what it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver
import dns.rrset

from mailserver.embedded.authentication.lookups import Lookups

Records = Mapping[tuple[str, str], Sequence[str] | None]
"""Texts of records by (name, type); None: no answer comes."""


class Zone:
    """Aliases are followed; what ``records`` does not name does not exist."""

    lifetime = 10.0

    def __init__(self, records: Records) -> None:
        self.records = {(name.lower().rstrip("."), kind): texts for (name, kind), texts in records.items()}
        self.asked: list[tuple[str, str]] = []

    def lookups(self, **limits: Any) -> Lookups:
        """For one message."""
        return Lookups(cast(dns.resolver.Resolver, self), **limits)

    def resolve(self, name: dns.name.Name, kind: str, **_: Any) -> dns.resolver.Answer:
        """As dnspython's resolver does."""
        at = b".".join(name.labels[:-1]).decode().lower()
        self.asked.append((at, kind))
        query = dns.message.make_query(name, kind)
        response = cast(dns.message.QueryMessage, dns.message.make_response(query))
        response.flags |= dns.flags.AA
        for _hop in range(20):
            for found in (kind, "CNAME"):
                texts = self.records.get((at, found), ())
                if texts is None:
                    raise dns.exception.Timeout
                if texts:
                    _add(response, at, found, texts)
                    break
            else:
                break
            if found == kind:
                break
            at = texts[0].rstrip(".").lower()
        if not response.answer and not any(held == at for held, _ in self.records):
            raise dns.resolver.NXDOMAIN
        return dns.resolver.Answer(name, dns.rdatatype.from_text(kind), dns.rdataclass.IN, response)


def _add(response: dns.message.Message, at: str, kind: str, texts: Sequence[str]) -> None:
    owner = dns.name.Name([*(one.encode() for one in at.split(".")), b""])
    place = response.find_rrset(
        response.answer, owner, dns.rdataclass.IN, dns.rdatatype.from_text(kind), create=True
    )
    for one in dns.rrset.from_text("x.", 60, "IN", kind, *texts):
        place.add(one, 60)


def texts(**records: str) -> dict[tuple[str, str], list[str]]:
    """TXT records by name, ``__`` for a dot."""
    return {(name.replace("__", "."), "TXT"): [f'"{text}"'] for name, text in records.items()}
