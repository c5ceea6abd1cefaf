"""GET /organizations and GET /auth/me."""

from __future__ import annotations

import msgspec

from gateway.api.agentmail.manage_views import OrganizationView, organization_view
from gateway.api.agentmail.views import inbox_name
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, reads
from gateway.core.accounts import organizations
from gateway.records.ids import public_id

table = Table("organizations")


class Identity(msgspec.Struct):
    """What a key belongs to."""

    scope_type: str
    scope_id: str
    organization_id: str
    pod_id: str | None
    inbox_id: str | None
    api_key_id: str | None


@table.get("/organizations", access=reads("metrics_read", kinds=ORGANIZATION))
async def get_organization(call: Call[NoBody, NoQuery]) -> OrganizationView:
    """Get the key's organization, with usage counts and limits."""
    return organization_view(await organizations.get(call.core, call.scope))


@table.get("/auth/me", access=reads())
async def who_am_i(call: Call[NoBody, NoQuery]) -> Identity:
    """Get the scope of the key."""
    scope = call.scope
    addresses = await call.core.addresses.of(call.core.store, [scope.inbox])
    ids = {
        "organization": public_id("org", scope.organization),
        "pod": public_id("pod", scope.pod or ""),
        "inbox": inbox_name(scope.inbox or "", addresses),
    }
    return Identity(
        scope_type=scope.kind,
        scope_id=ids[scope.kind],
        organization_id=ids["organization"],
        pod_id=ids["pod"] if scope.pod else None,
        inbox_id=ids["inbox"] if scope.inbox else None,
        api_key_id=public_id("key", scope.key_id) if scope.key_id else None,
    )
