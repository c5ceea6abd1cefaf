"""The organization a key belongs to, with its counts and limits."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.domains.domains import domain_limit
from gateway.core.errors import NotFound
from gateway.core.inboxes.inboxes import inbox_limit
from gateway.records.accounts import Organization
from gateway.store.queries.domains import domain_count
from gateway.store.queries.inboxes import inbox_count, inbox_ids_in_reach
from gateway.store.queries.organizations import own_organization
from gateway.store.row_counts import total
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Account:
    """An organization with how much it has and may have; a limit None is none."""

    organization: Organization
    inbox_count: int
    inbox_limit: int | None
    domain_count: int
    domain_limit: int | None
    message_count: int


async def get(core: Core, scope: Scope) -> Account:
    """The organization of the key. Raises NotFound."""

    def read(tx: Tx) -> Account:
        organization = own_organization(tx, scope)
        if organization is None:
            raise NotFound("the organization of this key is gone")
        return Account(
            organization,
            inbox_count=inbox_count(tx, scope.organization),
            inbox_limit=inbox_limit(tx, core, scope.organization),
            domain_count=domain_count(tx, scope.organization),
            domain_limit=domain_limit(tx, core, scope.organization),
            message_count=total(
                tx, "message", inbox_ids_in_reach(tx, Scope(scope.organization)), hidden=True
            ),
        )

    return await core.store.read(read)
