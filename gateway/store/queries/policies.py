"""Statements about policies: the versions of the rules of organizations, pods and inboxes."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.records.ids import POLICY_ID, InboxId, KeyId, OrganizationId, PodId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.policies import PolicyVersion
from gateway.store.listing import Listing, Window, page
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_NEWEST = "version = (SELECT max(newer.version) FROM policy AS newer WHERE newer.subject = policy.subject)"


@dataclass(frozen=True, slots=True)
class PolicyOwner:
    """Whose rule is meant: that of this inbox (of that pod), else of this pod, else of the organization."""

    organization_id: OrganizationId
    pod_id: PodId | None = None
    inbox_id: InboxId | None = None

    @property
    def subject(self) -> str:
        """The ULID of whose rule it is."""
        return self.inbox_id or self.pod_id or self.organization_id

    @property
    def above(self) -> list[str]:
        """The subjects whose rules hold for it too, its own among them."""
        return [one for one in (self.organization_id, self.pod_id, self.inbox_id) if one]


def owner_of_inbox(inbox: Inbox) -> PolicyOwner:
    """The owner of an inbox's own rule."""
    return PolicyOwner(inbox.organization_id, inbox.pod_id, inbox.id)


def rules_over(tx: Tx, owner: PolicyOwner) -> list[PolicyVersion]:
    """The rules that hold for ``owner``, its own among them, the widest first; what never had one is not there."""
    subjects = owner.above
    marks = ", ".join("?" * len(subjects))
    found = sql(tx).all(
        PolicyVersion,
        f"WHERE organization_id = ? AND subject IN ({marks}) AND {_NEWEST}",
        owner.organization_id,
        *subjects,
    )
    return sorted(found, key=lambda one: subjects.index(one.subject))


def list_versions(tx: Tx, owner: PolicyOwner, window: Window) -> Listing[PolicyVersion]:
    """The versions of its own rule, newest first."""
    where = "organization_id = ? AND subject = ?"
    return page(tx, PolicyVersion, where, [owner.organization_id, owner.subject], window, column="version")


def add_version(
    tx: Tx, owner: PolicyOwner, version: int, rule_json: str, key_id: KeyId | None, most: int
) -> PolicyVersion:
    """Note what holds from now on, and forget all but the newest ``most`` versions. Raises NotUnique when another
    change made this version just now."""
    made = PolicyVersion(
        id=POLICY_ID.new(),
        organization_id=owner.organization_id,
        pod_id=None if owner.inbox_id else owner.pod_id,
        inbox_id=owner.inbox_id,
        subject=owner.subject,
        version=version,
        rule_json=rule_json,
        key_id=key_id,
        created_at=now_us(),
    )
    sql(tx).add(made)
    sql(tx).run("DELETE FROM policy WHERE subject = ? AND version <= ?", owner.subject, version - most)
    return made


def organization_policies(tx: Tx, organization: OrganizationId) -> list[PolicyVersion]:
    """Every version of every rule of an organization, its pods and its inboxes, oldest first."""
    return sql(tx).all(PolicyVersion, "WHERE organization_id = ? ORDER BY created_at, version", organization)
