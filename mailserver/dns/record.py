"""One DNS record to publish, and what DNS said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RecordStatus = Literal["VALID", "INVALID", "MISSING"]
RecordType = Literal["MX", "TXT", "A", "AAAA", "CNAME", "SRV", "PTR"]
Purpose = Literal[
    "mx",
    "spf",
    "dkim",
    "dmarc",
    "dkim_next",
    "dkim_retired",
    "address",
    "ptr",
    "helo_spf",
    "mta_sts",
    "tls_rpt",
    "web_name",
    "service",
]


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish.

    ``value`` is as a zone file has it, without the final dot of names and the quotes of texts; ``found`` is what
    is there now, the same way; ``answered`` is False when the name servers did not say.
    """

    type: RecordType
    name: str
    value: str
    priority: int | None = None
    status: RecordStatus = "MISSING"
    purpose: Purpose = "mx"
    found: tuple[str, ...] = ()
    answered: bool = True

    @property
    def key(self) -> str:
        """What distinguishes it from the other records of its domain."""
        many = self.purpose in ("address", "ptr")
        return f"{self.type} {self.name} {self.value}" if many else f"{self.type} {self.name}"
