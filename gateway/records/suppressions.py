"""An address that an organization must not write to any more."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.records.base import Record
from gateway.records.ids import MessageId, OrganizationId

SuppressionType = Literal["bounce", "unsub", "complaint"]


class Suppression(Record, frozen=True):
    """An entry of an organization's suppression list."""

    table: ClassVar[str] = "suppression"

    id: int
    organization_id: OrganizationId
    address: str  # as ``mime.addresses.normalise`` gives it
    type: SuppressionType
    reason: str | None
    message_id: MessageId | None  # ULID of the mail that led to it; None: added by hand
    created_at: int  # µs
