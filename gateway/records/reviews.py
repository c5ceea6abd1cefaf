"""The decision of a person about a message that is held."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from gateway.records.base import Record
from gateway.records.ids import REVIEW_ID, InboxId, KeyId, MessageId, OrganizationId, ReviewId

ReviewState = Literal["pending", "approved", "rejected", "expired"]


class ReviewEdit(msgspec.Struct, frozen=True):
    """A change of a held message: the fields that changed, before and after. ``at``: µs; ``by``: as ``decided_by``."""

    at: int
    by: str
    before: dict[str, Any]
    after: dict[str, Any]


class Review(Record, frozen=True):
    """A message that is, or was, held until somebody decides. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "review"

    id: ReviewId
    organization_id: OrganizationId
    inbox_id: InboxId
    message_id: MessageId  # its ULID, in the outbox too
    direction: Literal["outbound"]
    reasons_json: str  # why it is held: stable words, the most important first
    digest: str  # hex SHA-256 of the envelope and the octets (``store.queries.reviews``)
    state: ReviewState
    asked_by: KeyId | None  # the key that sent it; None: a scheduled draft, or a key of no row
    decided_by: str | None  # who decided: key_ULID, or the address of a reviewer; None: nobody did
    decided_at: int | None
    reason: str | None  # the words of who rejected it
    expires_at: int
    created_at: int
    updated_at: int
    edits_json: str = "[]"  # the changes, the oldest first

    @property
    def public_id(self) -> str:
        """``rev_ULID``."""
        return REVIEW_ID.public(self.id)

    @property
    def reasons(self) -> list[str]:
        """Why it is held."""
        return msgspec.json.decode(self.reasons_json, type=list[str])

    @property
    def edits(self) -> list[ReviewEdit]:
        """What was changed while it was held."""
        return msgspec.json.decode(self.edits_json, type=list[ReviewEdit])
