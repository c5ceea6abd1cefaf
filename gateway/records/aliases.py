"""An alias: an address besides the inboxes' own, or a domain's catch-all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.records.base import Record
from gateway.records.ids import OrganizationId
from gateway.records.inboxes import Inbox


class Alias(Record, frozen=True):
    """An alias. One that is ``refused`` leads to no inbox and takes no mail, even where the catch-all would."""

    table: ClassVar[str] = "alias"

    id: str  # ULID
    organization_id: OrganizationId
    address: str  # lower case; ``@domain`` is the domain's catch-all
    domain: str
    refused: bool
    created_at: int  # µs
    updated_at: int

    @property
    def catch_all(self) -> bool:
        """Whether it takes mail for every unknown address of its domain."""
        return self.address.startswith("@")


@dataclass(frozen=True, slots=True)
class AliasTargets:
    """An alias with the inboxes that get its mail; none: the address is refused."""

    alias: Alias
    inboxes: list[Inbox]
