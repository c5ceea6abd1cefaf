"""Statements about mail domains. The keys that sign for them are ``store.dkim_keys``'."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypedDict, Unpack

from gateway.records.base import Secret
from gateway.records.domains import Domain, DomainStatus, MtaStsMode
from gateway.records.ids import OrganizationId, PodId
from gateway.store.listing import Listing, Window, page
from gateway.store.record_shape import plain
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx


class DomainChanges(TypedDict, total=False):
    """Columns of a domain that change."""

    pod_id: PodId | None
    status: DomainStatus
    feedback_enabled: bool
    subdomains_enabled: bool
    dkim_selector: str
    dkim_private: Secret
    dkim_public: str
    checked_json: str
    verified_at: int | None
    ready_at: int | None
    proven_at: int
    mta_sts: MtaStsMode
    checked_at: int
    changed_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class CheckTimes:
    """When a domain was made, when DNS was last asked about it, and when it last answered otherwise than before."""

    name: str
    created_at: int
    checked_at: int | None
    changed_at: int | None


# --- of one organization ---


def list_domains(
    tx: Tx, scope: Scope, window: Window, *, pod: PodId | None, platform: bool
) -> Listing[Domain]:
    """The organization's domains, newest first, of one pod when it is named; with ``platform`` the platform's too."""
    where, args = "organization_id = ?", list[object]([scope.organization])
    if pod is not None:
        where, args = f"{where} AND pod_id = ?", [*args, pod]
    if platform:
        where = f"({where} OR organization_id IS NULL)"
    return page(tx, Domain, where, args, window, id_column="name")


def domains_of(tx: Tx, organization: OrganizationId) -> list[Domain]:
    """Every domain of an organization, the oldest first."""
    return sql(tx).all(Domain, "WHERE organization_id = ? ORDER BY created_at", organization)


def domain_names_of(tx: Tx, organization: OrganizationId) -> list[str]:
    """The name of every domain of an organization."""
    rows = sql(tx).rows("SELECT name FROM domain WHERE organization_id = ?", organization)
    return [row["name"] for row in rows]


def domain_count(tx: Tx, organization: OrganizationId) -> int:
    """How many domains an organization has."""
    return int(sql(tx).value("SELECT count(*) FROM domain WHERE organization_id = ?", organization))


# --- of any organization ---


def unscoped_domain(tx: Tx, name: str) -> Domain | None:
    """A domain by its name (A-labels, lower case)."""
    return sql(tx).one(Domain, "WHERE name = ?", name)


def unscoped_domain_with_number(tx: Tx, number: int) -> Domain | None:
    """A domain by its number."""
    return sql(tx).one(Domain, "WHERE number = ?", number)


def unscoped_proven_domain(tx: Tx, name: str) -> Domain | None:
    """A domain by its name, if mail for it is ours."""
    return sql(tx).one(Domain, "WHERE name = ? AND proven_at IS NOT NULL", name)


def unscoped_domains(tx: Tx) -> list[Domain]:
    """Every domain, the platform's own first, then by name."""
    return sql(tx).all(Domain, "ORDER BY organization_id IS NOT NULL, name")


def unscoped_proven_names(tx: Tx) -> list[str]:
    """The name of every domain that mail is taken for."""
    return [row["name"] for row in sql(tx).rows("SELECT name FROM domain WHERE proven_at IS NOT NULL")]


def unscoped_proven_among(tx: Tx, names: Collection[str]) -> set[str]:
    """Those of ``names`` that mail is taken for."""
    marks = ", ".join("?" * len(names))
    query = f"SELECT name FROM domain WHERE name IN ({marks}) AND proven_at IS NOT NULL"  # noqa: S608
    return {row["name"] for row in sql(tx).rows(query, *names)}


def unscoped_check_times(tx: Tx) -> list[CheckTimes]:
    """When DNS was asked about each domain."""
    rows = sql(tx).rows("SELECT name, created_at, checked_at, changed_at FROM domain")
    return [CheckTimes(**row) for row in rows]


# --- changes ---


def add_domain(tx: Tx, domain: Domain) -> None:
    """Note a new domain. Raises NotUnique when its name is taken."""
    sql(tx).add(domain)


def add_domain_once(tx: Tx, domain: Domain) -> None:
    """Note a new domain, unless its name is taken."""
    sql(tx).add(domain, ignore=True)


def change_domain(tx: Tx, name: str, **changes: Unpack[DomainChanges]) -> None:
    """Change columns of a domain."""
    sql(tx).update("domain", "name", name, {column: plain(value) for column, value in changes.items()})


def remove_domain(tx: Tx, name: str) -> None:
    """Delete a domain and its signing keys."""
    sql(tx).run("DELETE FROM dkim_key WHERE domain = ?", name)
    sql(tx).run("DELETE FROM domain WHERE name = ?", name)
