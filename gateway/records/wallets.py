"""The prepaid wallet of an organization, in mills (thousandths of a dollar)."""

from __future__ import annotations

from typing import ClassVar

from gateway.records.base import Record
from gateway.records.ids import OrganizationId


class Wallet(Record, frozen=True):
    """What an organization may still spend. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "wallet"

    organization_id: OrganizationId
    balance: int
    spent: int  # since the account was made
    told_at: int | None  # when its owner was notified that it is empty; None since it was topped up
    updated_at: int
