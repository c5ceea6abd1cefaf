"""The DMARC records above a domain, and the organizational domain that they name (RFC 9989 §4.10)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailserver.embedded.authentication.lookups import Lookups
from mailserver.embedded.authentication.signature import tags

_DEPTH = 8  # queries of one walk
_RECORD = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")


@dataclass(frozen=True, slots=True)
class Record:
    """The one DMARC record of a domain."""

    domain: str
    tags: dict[str, str]

    @property
    def psd(self) -> str:
        """``y``: a public suffix; ``n``: an organizational domain; ``u``: not said."""
        return self.tags.get("psd", "u").lower()


def record_at(lookups: Lookups, domain: str) -> Record | None:
    """None where there is none, or more than one. Raises Unanswered."""
    found = [one for one in lookups.texts(f"_dmarc.{domain}") if _RECORD.match(one)]
    return Record(domain, tags(found[0])) if len(found) == 1 else None


def targets(domain: str) -> list[str]:
    """Where a walk that starts at ``domain`` asks, unless it ends earlier; the longest name first."""
    labels = domain.split(".")
    last = min(len(labels), _DEPTH)
    return [domain, *(".".join(labels[-length:]) for length in range(last - 1, 0, -1))]


def walk(lookups: Lookups, domain: str) -> list[Record]:
    """The records from ``domain`` upwards, to the first that says what it is. Raises Unanswered."""
    found: list[Record] = []
    for target in targets(domain):
        record = record_at(lookups, target)
        if record is not None:
            found.append(record)
            if record.psd in ("y", "n"):
                break
    return found


def organization_of(domain: str, records: list[Record]) -> str:
    """The organizational domain, by the ``records`` of the walk that started at ``domain``."""
    for record in records:
        if record.psd == "n":
            return record.domain
        if record.psd == "y" and record.domain != domain:
            below = record.domain.count(".") + 2
            return ".".join(domain.split(".")[-below:])
    return records[-1].domain if records else domain
