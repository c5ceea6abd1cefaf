"""Entries of allow and block lists."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.records.base import Record
from gateway.records.ids import RULE_ID, InboxId, OrganizationId, PodId, RuleId

Direction = Literal["send", "receive", "reply"]
Action = Literal["allow", "block"]
Mode = Literal["none", "allowlist"]
"""How an allow list is meant: it only names friends, or only what it names comes through."""


class ListEntry(Record, frozen=True):
    """An address or a domain on a list of an organization, a pod or an inbox; or the mode of its allow list.

    A mode is a row of type ``mode`` with a :data:`Mode` in ``entry``. See ``store.allow_block_lists``.
    """

    table: ClassVar[str] = "list_entry"

    id: RuleId  # ULID; the public id is rule_ULID
    organization_id: OrganizationId
    pod_id: PodId | None
    inbox_id: InboxId | None
    direction: Direction
    list_type: Action | Literal["mode"]
    entry: str  # lower case
    entry_type: Literal["email", "domain", "mode"]
    reason: str | None
    created_at: int  # µs

    @property
    def public_id(self) -> str:
        """``rule_ULID``."""
        return RULE_ID.public(self.id)


class ListRule(Record, frozen=True):
    """What of an entry decides about an address."""

    table: ClassVar[str] = "list_entry"

    pod_id: PodId | None
    inbox_id: InboxId | None
    direction: Direction
    list_type: Action | Literal["mode"]
    entry: str
