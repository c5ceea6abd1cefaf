"""An inbox: a mailbox on the mail server, and who it belongs to."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from gateway.records.base import Record
from gateway.records.ids import INBOX_ID, InboxId, OrganizationId, PodId

InboxStatus = Literal["creating", "active", "suspended", "deleting"]


class Inbox(Record, frozen=True):
    """An inbox. Times are microseconds since the epoch (UTC)."""

    table: ClassVar[str] = "inbox"

    id: InboxId  # ULID; the public id is inb_ULID
    number: int  # the id of the dialects that count
    organization_id: OrganizationId
    pod_id: PodId
    address: str  # lower case
    username: str
    domain: str
    display_name: str | None
    client_id: str | None
    external_id: str | None
    metadata_json: str
    status: InboxStatus
    active_at: int  # last mail in or out: who gets an IDLE connection
    created_at: int
    updated_at: int
    quota: int | None  # octets, 0 for no limit; None: the mail server's default
    fingerprints_since: int  # what it received since then is recognised by fingerprints (``store.index``)

    @property
    def metadata(self) -> dict[str, Any]:
        """What its owner noted: flat values of text, number or flag."""
        return msgspec.json.decode(self.metadata_json, type=dict[str, Any])

    @property
    def public_id(self) -> str:
        """``inb_ULID``."""
        return INBOX_ID.public(self.id)
