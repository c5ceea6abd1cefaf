"""An entry of the audit log: one management action on one thing."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.records.base import Record
from gateway.records.ids import AuditId, KeyId, OrganizationId

ActorKind = Literal["key", "operator", "registration", "reviewer"]
"""Who did it: an API key, the operator of the server (whose commands have a key of their own), or somebody without a
key, who registered or had the link of a review."""

_facts = msgspec.json.Decoder(dict[str, object]).decode


class AuditEntry(Record, frozen=True):
    """Who changed what. Times are microseconds since the epoch (UTC). Never secrets, never mail."""

    table: ClassVar[str] = "audit_entry"

    id: AuditId  # ULID; the public id is aud_ULID
    organization_id: OrganizationId  # whose thing it is; empty: the server's own
    created_at: int
    actor: ActorKind
    key_id: KeyId | None
    via: str  # agentmail, openmail, mailboxkit, mcp, operator, review_link
    operation: str  # the endpoint's or tool's name
    ip: str | None  # of the client, as the setting http.trusted_proxies has it
    request_id: str | None
    action: str  # created, changed, deleted, or a word of its own
    object_type: str
    object_id: str
    object_name: str | None
    before_json: str | None
    after_json: str | None

    @property
    def before(self) -> dict[str, object] | None:
        """The fields as they were: of a change those that changed; None for what was created."""
        return None if self.before_json is None else _facts(self.before_json)

    @property
    def after(self) -> dict[str, object] | None:
        """The fields as they are; None for what was deleted."""
        return None if self.after_json is None else _facts(self.after_json)
