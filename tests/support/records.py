"""Records as the database would give them, for functions that need no database."""

from __future__ import annotations

import msgspec

from gateway.records.ids import InboxId, OrganizationId, PodId, PolicyId
from gateway.records.inboxes import Inbox
from gateway.records.policies import Level, PolicyVersion, Rule

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


def policy_version(level: Level, rule: Rule) -> PolicyVersion:
    """The first version of a rule over ``INBOX``."""
    return PolicyVersion(
        id=PolicyId(f"v-{level}"),
        organization_id=INBOX.organization_id,
        pod_id=INBOX.pod_id if level == "pod" else None,
        inbox_id=INBOX.id if level == "inbox" else None,
        subject={"organization": INBOX.organization_id, "pod": INBOX.pod_id, "inbox": INBOX.id}[level],
        version=1,
        rule_json=msgspec.json.encode(rule).decode(),
        key_id=None,
        created_at=NOW,
    )
