"""Statements about organizations."""

from __future__ import annotations

from gateway.records.accounts import Organization, Pod
from gateway.records.ids import OrganizationId
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_OWN_ROWS = ("event", "wallet", "suppression", "pause", "pod")


def own_organization(tx: Tx, scope: Scope) -> Organization | None:
    """The organization of the key."""
    return unscoped_organization(tx, scope.organization)


def own_inbox_limit(tx: Tx, organization: OrganizationId) -> int | None:
    """How many inboxes an organization may have; None when it has no limit of its own."""
    limit: int | None = sql(tx).value("SELECT inbox_limit FROM organization WHERE id = ?", organization)
    return limit


def own_domain_limit(tx: Tx, organization: OrganizationId) -> int | None:
    """How many domains an organization may have; None when it has no limit of its own."""
    limit: int | None = sql(tx).value("SELECT domain_limit FROM organization WHERE id = ?", organization)
    return limit


def organization_since(tx: Tx, organization: OrganizationId) -> int | None:
    """When an organization was made (µs); None when it is gone."""
    since: int | None = sql(tx).value("SELECT created_at FROM organization WHERE id = ?", organization)
    return since


# --- of any organization ---


def unscoped_organization(tx: Tx, organization: OrganizationId) -> Organization | None:
    """An organization by its ULID."""
    return sql(tx).one(Organization, "WHERE id = ?", organization)


def unscoped_organization_ids(tx: Tx) -> list[OrganizationId]:
    """The ULID of every organization, the oldest first."""
    return [row["id"] for row in sql(tx).rows("SELECT id FROM organization ORDER BY created_at, id")]


def unscoped_first_organization_id(tx: Tx) -> OrganizationId | None:
    """The ULID of the oldest organization, which is the gateway's own."""
    first: OrganizationId | None = sql(tx).value(
        "SELECT id FROM organization ORDER BY created_at, id LIMIT 1"
    )
    return first


def unscoped_keyless_organization_ids(tx: Tx, name: str, before: int) -> list[OrganizationId]:
    """The organizations of this name that were made before ``before`` (µs) and have no key."""
    rows = sql(tx).rows(
        "SELECT id FROM organization WHERE name = ? AND created_at < ? AND NOT EXISTS "
        "(SELECT 1 FROM api_key WHERE api_key.organization_id = organization.id)",
        name,
        before,
    )
    return [row["id"] for row in rows]


# --- changes ---


def add_organization(tx: Tx, organization: Organization, pod: Pod) -> None:
    """Note a new organization and its default pod."""
    sql(tx).add(organization)
    sql(tx).add(pod)


def remove_keyless_organization(tx: Tx, organization: OrganizationId) -> None:
    """Delete an organization that has no inbox, domain, key or webhook any more, and what else is its own."""
    for table in _OWN_ROWS:
        sql(tx).run(f"DELETE FROM {table} WHERE organization_id = ?", organization)  # noqa: S608
    sql(tx).run("DELETE FROM tally WHERE subject = ?", organization)
    sql(tx).run("DELETE FROM organization WHERE id = ?", organization)
