"""Records as the database would give them, for functions that need no database."""

from __future__ import annotations

from gateway.records.ids import InboxId, OrganizationId, PodId
from gateway.records.inboxes import Inbox

NOW = 1_700_000_000_000_000
"""µs"""
_OLD = NOW - 40 * 86_400_000_000

INBOX = Inbox(
    id=InboxId("i"),
    number=1,
    organization_id=OrganizationId("o"),
    pod_id=PodId("p"),
    address="agent@x.test",
    username="agent",
    domain="x.test",
    display_name=None,
    client_id=None,
    external_id=None,
    metadata_json="{}",
    status="active",
    active_at=0,
    created_at=_OLD,
    updated_at=_OLD,
    quota=None,
    fingerprints_since=0,
)
